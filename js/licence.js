/**
 * Keeps the switch that accepts a licence out of saved workflows, so that whoever opens one accepts for themselves.
 * Knows one widget of one node.
 */

import { app } from "../../scripts/app.js";

app.registerExtension({
  name: "Inbetween.Licence",

  nodeCreated(node) {
    if (node.comfyClass !== "InbetweenLoadModel") return;
    const accepts = node.widgets?.find((widget) => widget.name === "accept_licence");
    if (accepts) accepts.serialize = false; // in the workflow; the prompt still has it
  },
});
