/** What a view inside a node needs of ComfyUI's graph, in both renderers. Knows nothing of what is shown. */

import { app } from "../../scripts/app.js";
import { forGraph } from "./track_view/gestures.js";

const MARGIN = 10;

/**
 * A widget of a node whose value is the text of a view, at least `height` pixels high.
 * @param {{element: HTMLElement, value: string}} view
 */
export function viewWidget(node, name, type, view, height) {
  const widget = node.addDOMWidget(name, type, view.element, {
    getValue: () => view.value,
    setValue: (text) => (view.value = String(text ?? "")),
    getMinHeight: () => height + 2 * (widget.margin ?? MARGIN),
    hideOnZoom: false,
  });
  fillNode(widget);
  view.element.addEventListener("wheel", passWheel, { passive: false });
  return widget;
}

/** Keep a widget as wide as its node: a panel that lists it would otherwise set its own width, for good. */
export function fillNode(widget) {
  Object.defineProperty(widget, "width", { configurable: true, enumerable: false, get: () => undefined, set: () => {} });
}

/** Give the graph a wheel event that the view has no use for. In Nodes 2.0 the node has already done so. */
export function passWheel(event) {
  const root = event.currentTarget;
  if (event.defaultPrevented || root.closest("[data-node-id]") || document.fullscreenElement === root) return;
  if (root.contains(document.activeElement) && !forGraph(event)) return;
  event.preventDefault();
  event.stopPropagation();
  app.canvas.canvas.dispatchEvent(new WheelEvent(event.type, event));
}

/** Keep touches on views of this class from the graph, which zooms on any pinch and gets the event first. */
export function keepTouches(name) {
  const own = (event) => event.target.closest?.(`.${name}`) && event.stopPropagation();
  document.addEventListener("touchmove", own, { capture: true });
}

/** Replace the old node's element, which Nodes 2.0 leaves in place when undo recreates the node under the same id. */
export function takePlace(node, element) {
  if (element.isConnected || node.graph !== app.canvas?.graph) return;
  document.querySelector(`[data-node-id="${node.id}"] .${element.classList[0]}`)?.replaceWith(element);
}

/** Call `after` whenever the method `name` of an object has been called, with the same arguments. */
export function chain(object, name, after) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    after(...given);
    return result;
  };
}
