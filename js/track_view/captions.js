/** The line below the stage that says which picture is shown for each frame, and takes files for them. */

import { h, set } from "./dom.js";
import { icon } from "./icons.js";
import { word } from "../words.js";

/** Words for each frame: its name, and what its buttons do. */
const words = () => ({
  first: {
    label: word("First"),
    tip: word("Choose an image or a video to draw on as the first frame; or paste one, or drop it here"),
    off: word("Remove the chosen first frame"),
  },
  last: {
    label: word("Last"),
    tip: word("Choose an image or a video to draw on as the last frame; or paste one, or drop it here"),
    off: word("Remove the chosen last frame"),
  },
});

/**
 * @param {import("./store.js").Store} store
 * @param {import("./pictures.js").Pictures} pictures
 * @param {(name: "first"|"last", file: File|null) => void} choose  called with a chosen file, or null to remove it
 * @returns {HTMLElement}
 */
export function captions(store, pictures, choose) {
  const parts = Object.entries(words()).map(([name, { label, tip, off }]) => {
    const text = h("span", { class: "text", "data-testid": `source-${name}` });
    const chooser = h("input", {
      type: "file", accept: "image/*,video/*", hidden: true, "data-testid": `file-${name}`,
      onchange: () => {
        if (chooser.files[0]) choose(name, chooser.files[0]);
        chooser.value = "";
      },
    });
    const press = () => chooser.click();
    const open = h("button", { type: "button", title: tip, "aria-label": tip, onclick: press }, icon("picture"));
    const clear = h(
      "button",
      { type: "button", title: off, "aria-label": off, "data-testid": `clear-${name}`, onclick: () => choose(name, null) },
      icon("clear"),
    );
    const element = h("div", { class: "caption" }, open, h("b", {}, label), text, clear, chooser);
    const update = () => {
      const source = pictures.sources[name];
      if (text.textContent !== source.text) text.textContent = source.text;
      set(text, { title: source.text, class: source.stale ? "text stale" : "text" });
      clear.hidden = !source.chosen;
    };
    return { element, update };
  });
  store.watch(() => parts.forEach(({ update }) => update()));
  return h("div", { class: "captions" }, ...parts.map(({ element }) => element));
}
