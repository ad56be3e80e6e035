/** The Model Picker of the node Load Interpolation Model: a button that opens it. The only module of it that knows ComfyUI. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { changing } from "./graph.js";
import { openPicker } from "./model_picker/dialog.js";
import { holderOfValue, valueOf } from "./sources.js";

const NODE = "InbetweenLoadModel";
const CONVERT = "InbetweenConvertModel";
const ROUTE = "/inbetween/models";
const COMPUTED = "The value of model comes from another node: choose it there.";

app.registerExtension({
  name: "Inbetween.ModelPicker",

  commands: [{ id: "Inbetween.ModelPicker", label: "Choose an interpolation model", icon: "pi pi-list", function: openSelected }],

  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const button = node.addWidget("button", "browse models", null, () => open(node), { serialize: false });
    button.serialize = false; // so that it takes no place among the values in saved workflows
    button.tooltip = "Show all models with their licence, size, quality and files. Downloads nothing.";
  },
});

/** Open the picker of the selected node, by a command, which may have a key. */
function openSelected() {
  const chosen = Object.values(app.canvas?.selected_nodes ?? {});
  const node = chosen.find((one) => one.comfyClass === NODE);
  if (node) open(node);
  else app.extensionManager?.toast?.add({ severity: "info", summary: "Select a Load Interpolation Model node first.", life: 4000 });
}

function open(node) {
  let choices = [];
  const picker = openPicker({
    async load() {
      const answer = await api.fetchApi(ROUTE, { cache: "no-store" });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}; restart ComfyUI after an update of the pack`);
      const told = await answer.json();
      choices = told.choices;
      return told.rows;
    },
    current: () => valueOf(node, "model"),
    fixed: () => (holderOfValue(node, "model") ? "" : COMPUTED),
    download: () => valueOf(node, "allow_download"),
    accepted: () => valueOf(node, "accept_licence"),
    quality: () => valueOf(node, "quality"),
    choose: (row) => choose(node, row.choice, choices),
    convert: (row) => convert(node, row),
  });
  const renew = () => picker.reload();
  api.addEventListener("execution_success", renew); // a run may have downloaded or converted one
  picker.element.addEventListener("close", () => api.removeEventListener("execution_success", renew));
}

/** Set the combo, wherever its value is held; `choices` are its entries as of now, which the page may not have yet. */
function choose(node, label, choices) {
  const held = holderOfValue(node, "model");
  if (!held) return;
  const { widget } = held;
  changing(() => {
    if (Array.isArray(widget.options?.values) && !widget.options.values.includes(label)) widget.options.values = choices;
    widget.value = label;
    widget.callback?.(label, app.canvas, held.node);
  });
  app.canvas?.setDirty(true, true);
}

/** Put a Convert Model node for a file beside the loader and show it. */
function convert(node, row) {
  const made = globalThis.LiteGraph.createNode(CONVERT);
  const widget = made.widgets.find((one) => one.name === "file");
  changing(() => {
    made.pos = [node.pos[0], node.pos[1] + node.size[1] + 60];
    node.graph.add(made);
    const { values } = widget.options ?? {};
    if (Array.isArray(values) && !values.includes(row.name)) widget.options.values = [...values, row.name];
    widget.value = row.name;
  });
  app.canvas?.selectNode?.(made);
  app.canvas?.setDirty(true, true);
}
