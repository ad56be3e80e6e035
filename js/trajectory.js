/** Attaches the track editor to its node: the only module that knows ComfyUI. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { TrackView } from "./track_view.js";
import { forGraph } from "./track_view/gestures.js";

const NODE = "InbetweenTrackEditor";
const WIDGET = "INBETWEEN_DRAWN_TRACKS";
const SIZE = [740, 720];
const HEIGHT = 340;
const MARGIN = 10;
const GLANCE = 400;
const IMAGE = /\.(png|jpe?g|webp|gif|bmp|avif)$/i;

/**
 * The last state of each editor, for the lifetime of the page: undo recreates nodes, and zoom and selection do not belong in a
 * workflow.
 * @type {Map<string, {look?: import("./track_view/store.js").Look, focused?: boolean, seen?: object}>}
 */
const memory = new Map();

app.registerExtension({
  name: "Inbetween.TrackEditor",

  getCustomWidgets: () => ({
    [WIDGET](node, name) {
      const view = new TrackView((text) => {
        app.canvas?.emitBeforeChange?.();
        widget.value = text;
        app.canvas?.emitAfterChange?.();
      });
      const widget = node.addDOMWidget(name, WIDGET, view.element, {
        getValue: () => view.value,
        setValue: (text) => (view.value = String(text ?? "")),
        getMinHeight: () => HEIGHT + 2 * (widget.margin ?? MARGIN),
        hideOnZoom: false,
      });
      fillNode(widget);
      view.element.addEventListener("wheel", passWheel, { passive: false });
      attend(node, view);
      return { widget };
    },
  }),

  /** Keep touches on the editor from the graph, which zooms on any pinch and gets the event first. */
  setup() {
    const own = (event) => event.target.closest?.(".inbetween-tracks") && event.stopPropagation();
    document.addEventListener("touchmove", own, { capture: true });
  },

  nodeCreated(node) {
    if (node.comfyClass === NODE) node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
  },
});

/** Keep a widget as wide as its node: a panel that lists it would otherwise set its own width, for good. */
function fillNode(widget) {
  Object.defineProperty(widget, "width", { configurable: true, enumerable: false, get: () => undefined, set: () => {} });
}

/** Give the graph a wheel event that the editor has no use for. In Nodes 2.0 the node has already done so. */
function passWheel(event) {
  const root = event.currentTarget;
  if (event.defaultPrevented || root.closest("[data-node-id]") || document.fullscreenElement === root) return;
  if (root.contains(document.activeElement) && !forGraph(event)) return;
  event.preventDefault();
  event.stopPropagation();
  app.canvas.canvas.dispatchEvent(new WheelEvent(event.type, event));
}

/** Keep a view up to date with its node. Polls, because links, uploads and undo share no event. */
function attend(node, view) {
  const key = () => `${node.graph?.id}/${node.id}`;
  const remembered = () => memory.get(key()) ?? memory.set(key(), {}).get(key());
  let known = null;

  const glance = () => {
    if (node.graph) takePlace(node, view.element);
    if (!view.element.isConnected) return;
    const kept = remembered();
    if (known !== key()) {
      known = key();
      if (kept.look) view.look = kept.look;
      if (kept.seen) found(kept.seen);
      if (kept.focused && document.activeElement === document.body) view.element.focus({ preventScroll: true });
    }
    kept.look = { ...view.look };
    kept.focused = view.element.contains(document.activeElement);
    view.show({ first: source(node, "first") ?? ran(kept, "first"), last: source(node, "last", true) ?? ran(kept, "last") });
    view.frames = linked(node, "frames") ? kept.seen?.frames?.[0] : valueOf(node, "frames");
    const size = [valueOf(node, "width"), valueOf(node, "height")];
    if (!view.pictures.any && size.every((side) => side > 0)) view.resize(size);
  };
  const found = ({ matches, size }) => matches && size && view.setMatches(matches, size);
  const timer = setInterval(glance, GLANCE);
  requestAnimationFrame(glance);

  chain(node, "onRemoved", () => clearInterval(timer));
  chain(node, "onConnectionsChange", () => requestAnimationFrame(glance));
  chain(node, "onExecuted", (output) => {
    remembered().seen = output;
    found(output ?? {});
    glance();
  });
}

/** Replace the old node's element, which Nodes 2.0 leaves in place when undo recreates the node under the same id. */
function takePlace(node, element) {
  if (element.isConnected || node.graph !== app.canvas?.graph) return;
  document.querySelector(`[data-node-id="${node.id}"] .inbetween-tracks`)?.replaceWith(element);
}

const valueOf = (node, name) => node.widgets?.find((widget) => widget.name === name)?.value;
const slotOf = (node, name) => node.inputs?.findIndex((input) => input.name === name) ?? -1;

/** Whether an input is linked. Newer front ends warn about `input.link`. */
function linked(node, name) {
  const slot = slotOf(node, name);
  if (slot < 0) return false;
  return node.isInputConnected ? node.isInputConnected(slot) : node.inputs[slot].link != null;
}

/** The URL of a picture that a run left in the temporary folder. */
const ran = (kept, name) => (kept.seen?.[name]?.[0] ? viewUrl(kept.seen[name][0]) : null);

/** The URL of the picture that an input is linked to, before anything runs; null if it cannot be known. */
function source(node, name, last = false) {
  const slot = slotOf(node, name);
  const origin = slot < 0 ? null : node.getInputNode?.(slot);
  if (!origin) return null;
  if (origin.type === "Reroute") return source(origin, origin.inputs?.[0]?.name, last);
  const file = valueOf(origin, "image");
  if (typeof file === "string" && IMAGE.test(file.replace(/ \[\w+\]$/, ""))) return fileUrl(file);
  const made = app.nodeOutputs?.[origin.id]?.images;
  if (made?.length) return viewUrl(made.at(last ? -1 : 0));
  return origin.imgs?.at(last ? -1 : 0)?.src ?? null;
}

/** The URL of an entry such as "folder/name.png [output]" in a widget that lists files. */
function fileUrl(entry) {
  const [, path, type = "input"] = /^(.*?)(?: \[(\w+)\])?$/.exec(entry);
  const slash = path.lastIndexOf("/");
  return viewUrl({ filename: path.slice(slash + 1), subfolder: path.slice(0, Math.max(slash, 0)), type });
}

const viewUrl = ({ filename, subfolder = "", type }) => api.apiURL(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

function chain(object, name, after) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    after(...given);
    return result;
  };
}
