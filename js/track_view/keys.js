/**
 * Keyboard handling while the editor has the focus. Undo and redo are left to the graph.
 */

import { times } from "../track_math.js";
import { keyOf, keysOf, moved, trackOf } from "./edits.js";
import { zoomed } from "./stage.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** The tool that each letter selects. */
export const TOOLS = { v: "select", a: "pen", f: "freehand", s: "anchor", h: "pan" };

/**
 * @param {HTMLElement} root
 * @param {import("./store.js").Store} store
 * @param {import("./gestures.js").Gestures} gestures
 * @param {import("./actions.js").Actions} actions
 */
export function listenToKeys(root, store, gestures, actions) {
  let nudging = false;

  const nudge = (event) => {
    const step = event.shiftKey ? 10 : event.altKey ? 0.1 : 1;
    nudging = true;
    store.draft(moved(store.doc, store.look.keys, { move: ARROWS[event.key].map((axis) => axis * step) }));
  };

  const next = (back) => {
    const { doc, look } = store;
    const track = trackOf(doc, look.active);
    if (!track) return false;
    const index = track.pts.findIndex((_, at) => look.keys.has(keyOf(track.id, at))) + (back ? -1 : 1);
    if (index < 0 || index >= track.pts.length) return false;
    store.see({ keys: new Set([keyOf(track.id, index)]), time: times(track)[index] });
    return true;
  };

  const escape = () => {
    if (gestures.busy) gestures.cancel();
    else if (store.look.pen) actions.endPen();
    else store.see({ keys: new Set(), active: null, tool: "select" });
  };

  const all = () => store.see({ keys: new Set(keysOf(store.doc.tracks.filter((track) => track.on))) });

  const pressed = (event) => {
    const { look } = store;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      if (key === "a") all();
      else if (key === "d") actions.duplicate();
      else return key === "c" || key === "v" || key === "x" ? "theirs" : false;
      return true;
    }
    if (key in ARROWS && look.keys.size) nudge(event);
    else if (key in TOOLS) actions.choose(TOOLS[key]);
    else if (key === "Delete" || key === "Backspace") actions.remove();
    else if (key === "Escape") escape();
    else if (key === "Enter") actions.endPen();
    else if (key === "Tab") return look.keys.size > 0 && next(event.shiftKey);
    else if (key === "d") actions.duplicate();
    else if (key === " ") actions.play();
    else if (key === "," || key === ".") actions.step(key === "," ? -1 : 1);
    else if (key === "[" || key === "]") actions.cycle(key === "[" ? -1 : 1);
    else if (key === "+" || key === "=") store.see(zoomed(look, store.doc.size, 1.25));
    else if (key === "-") store.see(zoomed(look, store.doc.size, 0.8));
    else if (key === "0") actions.fit();
    else if (key === "1" || key === "2" || key === "3") store.see({ mode: "mix", mix: (Number(key) - 1) / 2 });
    else if (key === "m") actions.cycleMode();
    else if (key === "n") store.see({ snap: !look.snap });
    else if (key === "o") actions.toggle();
    else if (key === "r") actions.reverse();
    else if (key === "e") actions.pace();
    else return false;
    return true;
  };

  root.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=text], select") || (event.target.matches("input") && event.key in ARROWS)) {
      event.stopPropagation();
      return;
    }
    if (event.target.matches("button") && (event.key === " " || event.key === "Enter")) return;
    const done = pressed(event);
    if (!done) return;
    event.stopPropagation();
    if (done === true) event.preventDefault();
  });
  root.addEventListener("keyup", (event) => {
    if (!nudging || !(event.key in ARROWS)) return;
    nudging = false;
    store.commit();
  });
  root.addEventListener("focusout", () => {
    if (!nudging) return;
    nudging = false;
    store.commit();
  });
}
