/** What our nodes need to hold a page element: hooks, wheel events, and the place of an element. Knows ComfyUI's graph, but no node. */

import { app } from "../../scripts/app.js";

/** Call `after` whenever a method of an object has been called. */
export function chain(object, name, after) {
  const before = object[name];
  object[name] = function (...given) {
    const result = before?.apply(this, given);
    after(...given);
    return result;
  };
}

/** Hand a wheel event of an element to the graph. In Nodes 2.0 the node has already done so. */
export function passWheel(event) {
  if (event.defaultPrevented || event.currentTarget.closest("[data-node-id]")) return;
  event.preventDefault();
  event.stopPropagation();
  app.canvas.canvas.dispatchEvent(new WheelEvent(event.type, event));
}

/**
 * Replace the old node's element, which Nodes 2.0 leaves in place when undo recreates the node under the same id.
 *
 * @param {object} node @param {HTMLElement} element @param {string} selector  that finds the old element within the node
 */
export function takePlace(node, element, selector) {
  if (element.isConnected || node.graph !== app.canvas?.graph) return;
  document.querySelector(`[data-node-id="${node.id}"] ${selector}`)?.replaceWith(element);
}
