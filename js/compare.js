/** Attaches the comparison of two clips to its node. */

import { app } from "../../scripts/app.js";
import { CompareView } from "./compare_view.js";
import { chain, fillNode, keepTouches, passWheel, takePlace } from "./dom_widget.js";
import { lastOutput, viewUrl } from "./sources.js";

const NODE = "InbetweenCompare";
const WIDGET = "INBETWEEN_COMPARE_VIEW";
const KEPT = "inbetween_compare";
const SIZE = [620, 740];
const HEIGHT = 360;
const MARGIN = 10;
const GLANCE = 400;

app.registerExtension({
  name: "Inbetween.Compare",

  setup: () => keepTouches("inbetween-compare"),

  nodeCreated(node) {
    if (node.comfyClass !== NODE) return;
    const view = new CompareView((filename, subfolder) => viewUrl({ filename, subfolder, type: "temp" }));
    const widget = node.addDOMWidget("view", WIDGET, view.element, {
      serialize: false,
      getMinHeight: () => HEIGHT + 2 * (widget.margin ?? MARGIN),
      hideOnZoom: false,
    });
    widget.serialize = false;
    fillNode(widget);
    view.element.addEventListener("wheel", passWheel, { passive: false });
    node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
    attend(node, view);
  },
});

/**
 * Show the last run of a node in its view, and keep how it is shown in the workflow. Polls: a run that ended while another workflow
 * was open, undo and a restored result share no event.
 */
function attend(node, view) {
  let known = false;
  const glance = () => {
    if (!node.graph) return;
    takePlace(node, view.element);
    if (!known) view.look = node.properties?.[KEPT] ?? {};
    known = true;
    view.show(lastOutput(node)?.[KEPT]?.[0] ?? null);
    keep(node, view.look);
  };
  const timer = setInterval(glance, GLANCE);
  requestAnimationFrame(glance);
  chain(node, "onConfigure", () => (known = false));
  chain(node, "onExecuted", () => requestAnimationFrame(glance));
  chain(node, "onRemoved", () => {
    clearInterval(timer);
    view.close();
  });
}

/** Note in the workflow how clips are shown, unless it is the usual way. */
function keep(node, look) {
  node.properties ??= {};
  if (JSON.stringify(node.properties[KEPT] ?? {}) === JSON.stringify(look)) return;
  if (Object.keys(look).length) node.properties[KEPT] = look;
  else delete node.properties[KEPT];
}
