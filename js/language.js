/**
 * The language of the browser: does in another language what the front end leaves undone.
 *
 * A node is still found by its English name. The tooltips of inputs that a choice brings along, and in older versions the labels of
 * sockets, are translated, and so are the words of the editors. Knows nothing of what the texts mean: they are those of `locales/`.
 */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { learn } from "./words.js";

const OURS = /^Inbetween/;
const CHOICE = "COMFY_DYNAMICCOMBO_V3";

/** The texts of all packs by language, once one other than English is set. */
let locales = null;

app.registerExtension({
  name: "Inbetween.Language",

  /** Called again, with a fresh definition, when the language changes. */
  async beforeRegisterNodeDef(_, definition) {
    if (!OURS.test(definition.name)) return;
    const language = app.extensionManager.setting.get("Comfy.Locale");
    if (language !== "en") locales ??= api.getCustomNodesI18n();
    const { [language]: own, en } = language === "en" ? {} : await locales;
    learn(own?.inbetween);
    const texts = own?.nodeDefs?.[definition.name];
    if (!texts) return;
    definition.search_aliases = [...definition.search_aliases, en.nodeDefs[definition.name].display_name];
    translate(definition.input, texts.inputs);
  },
});

/**
 * Translate the tooltips of a node's inputs. Their English labels are taken away: without one, the front end shows its translation,
 * and saves no label in the workflow.
 * @param {{required?: object, optional?: object}} inputs  each an array of a type and options, by id
 * @param {Object<string, {name?: string, tooltip?: string}>} texts  by the path of an id
 * @param {string} path  the path of what brings these inputs along
 */
function translate(inputs, texts, path = "") {
  for (const [id, [type, options]] of Object.entries({ ...inputs?.required, ...inputs?.optional })) {
    const { name, tooltip } = texts[path + id] ?? {};
    if (options && name) {
      options.tooltip = tooltip;
      delete options.display_name;
    }
    if (type === CHOICE) options.options.forEach((option) => translate(option.inputs, texts, `${path}${id}_`));
  }
}
