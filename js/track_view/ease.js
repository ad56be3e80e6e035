/** A small square that shows an easing, progress (up) over time (right), with two handles to bend it. */

import { s, set } from "./dom.js";
import { word } from "../words.js";

const SIDE = 100;
const ROOM = 25;
const FINE = 100;

/**
 * @param {[number, number, number, number]} ease  a cubic Bezier as in CSS
 * @param {(ease: [number, number, number, number]) => void} choose  called with the new easing when a handle is released
 * @returns {SVGElement}
 */
export function easeBox(ease, choose) {
  let now = [...ease];
  const curve = s("path", { class: "ease-curve" });
  const arms = [0, 1].map(() => s("line", { class: "arm" }));
  const knobs = [0, 1].map((which) =>
    s("circle", {
      r: 6, class: "knob", tabindex: 0, role: "slider", "data-testid": `ease-${which}`,
      "aria-label": which ? word("How it stops") : word("How it starts"),
    }),
  );
  const box = s(
    "svg",
    { class: "ease", viewBox: `${-ROOM / 2} ${-ROOM} ${SIDE + ROOM} ${SIDE + 2 * ROOM}`, "data-testid": "ease" },
    s("title", {}, word("Easing: progress (up) over time (right). Drag the two handles.")),
    s("rect", { width: SIDE, height: SIDE, class: "ease-frame" }),
    ...arms, curve, ...knobs,
  );

  const draw = () => {
    const [x1, y1, x2, y2] = [now[0] * SIDE, SIDE - now[1] * SIDE, now[2] * SIDE, SIDE - now[3] * SIDE];
    set(curve, { d: `M0 ${SIDE}C${x1} ${y1} ${x2} ${y2} ${SIDE} 0` });
    set(arms[0], { x1: 0, y1: SIDE, x2: x1, y2: y1 });
    set(arms[1], { x1: SIDE, y1: 0, x2, y2 });
    set(knobs[0], { cx: x1, cy: y1, "aria-valuetext": `${now[0]}, ${now[1]}` });
    set(knobs[1], { cx: x2, cy: y2, "aria-valuetext": `${now[2]}, ${now[3]}` });
  };
  const put = (which, x, y) => {
    now[2 * which] = Math.round(Math.min(Math.max(x, 0), 1) * FINE) / FINE;
    now[2 * which + 1] = Math.round(Math.min(Math.max(y, -0.25), 1.25) * FINE) / FINE;
    draw();
  };

  knobs.forEach((knob, which) => {
    knob.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      knob.setPointerCapture(event.pointerId);
      knob.focus();
    });
    knob.addEventListener("pointermove", (event) => {
      if (!knob.hasPointerCapture(event.pointerId)) return;
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(box.getScreenCTM().inverse());
      put(which, point.x / SIDE, 1 - point.y / SIDE);
    });
    knob.addEventListener("pointerup", () => choose(now));
    knob.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.05, 0], ArrowRight: [0.05, 0], ArrowUp: [0, 0.05], ArrowDown: [0, -0.05] }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      put(which, now[2 * which] + step[0], now[2 * which + 1] + step[1]);
    });
    knob.addEventListener("keyup", (event) => event.key.startsWith("Arrow") && choose(now));
  });
  draw();
  return box;
}
