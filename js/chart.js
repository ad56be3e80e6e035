/** Attaches spacing charts to their node: the only module of them that knows ComfyUI. */

import { app } from "../../scripts/app.js";
import { ChartView } from "./chart_view.js";
import { chain, keepTouches, takePlace, viewWidget } from "./dom_widget.js";
import { changing } from "./graph.js";
import { lastOutput, linked, sources, valueOf, viewUrl } from "./sources.js";

const NODE = "InbetweenSpacingChart";
const TWEEN = "InbetweenTweenCharts";
const WIDGET = "INBETWEEN_DRAWN_CHARTS";
const KEPT = "inbetween_frames";
const SIZE = [560, 620];
const HEIGHT = 320;
const GLANCE = 400;
const ENDS = ["first", "last"];

/** How each chart was looked at last, for the lifetime of the page: undo recreates nodes. @type {Map<string, object>} */
const memory = new Map();

app.registerExtension({
  name: "Inbetween.SpacingChart",

  getCustomWidgets: () => ({
    [WIDGET](node, name) {
      const view = new ChartView((text) => changing(() => (widget.value = text)));
      const widget = viewWidget(node, name, WIDGET, view, HEIGHT);
      attend(node, view);
      return { widget };
    },
  }),

  setup: () => keepTouches("inbetween-charts"),

  nodeCreated(node) {
    if (node.comfyClass === NODE) node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
  },
});

/** Keep a view up to date with its node. Polls, because links, uploads, runs and undo share no event. */
function attend(node, view) {
  const key = () => `${node.graph?.id}/${node.id}`;
  let known = null;
  const glance = () => {
    if (node.graph) takePlace(node, view.element);
    if (!view.element.isConnected) return;
    if (known !== key()) {
      known = key();
      if (memory.has(known)) view.look = memory.get(known);
    }
    memory.set(known, view.look);
    view.frames = Number(valueOf(node, "frames"));
    const [first, last] = ENDS.map((end) => keyframe(node, end));
    view.show({ first, last, frames: made(node) });
  };
  const timer = setInterval(glance, GLANCE);
  requestAnimationFrame(glance);
  chain(node, "onConnectionsChange", () => requestAnimationFrame(glance));
  chain(node, "onExecuted", () => requestAnimationFrame(glance));
  chain(node, "onRemoved", () => {
    clearInterval(timer);
    view.close();
  });
}

/** The address of a keyframe: the picture that reaches the input unchanged, else that of the last run, else the nearest above. */
function keyframe(node, end) {
  if (!linked(node, end)) return null;
  const above = sources(node, end, end === "last").filter((one) => !one.video);
  const ran = lastOutput(node)?.[end]?.[0];
  const exact = above.find((one) => one.exact);
  return exact?.url ?? (ran ? viewUrl(ran) : (above[0]?.url ?? null));
}

/** The addresses of the frames that the last run of a Tween with Charts made by this chart. */
function made(node) {
  const graph = node.graph;
  for (const id of node.outputs?.[0]?.links ?? []) {
    const link = graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id];
    const target = link && graph.getNodeById(link.target_id);
    const files = target?.comfyClass === TWEEN || target?.type === TWEEN ? lastOutput(target)?.[KEPT]?.[0] : null;
    if (files) return files.map(viewUrl);
  }
  return [];
}
