/** The button icons: strokes in a 24 x 24 square, in the text colour. */

import { s } from "./dom.js";

const STROKES = {
  select: "M5 3l6 16 2.4-6.6L20 10z",
  pen: "M4 20l1-4L16 5l3 3L8 19zM14 7l3 3",
  freehand: "M3 17c3-9 6-9 7-4s3 6 5 1 3-6 6-5",
  anchor: "M12 21s-6.5-5.5-6.5-11a6.5 6.5 0 0 1 13 0c0 5.5-6.5 11-6.5 11zM12 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4",
  pan: "M12 3v18M3 12h18M12 3l-3 3M12 3l3 3M12 21l-3-3M12 21l3-3M3 12l3-3M3 12l3 3M21 12l-3-3M21 12l-3 3",
  duplicate: "M9 9h11v11H9zM15 9V4H4v11h5",
  reverse: "M20 8H5M9 4L5 8l4 4M4 16h15M15 12l4 4-4 4",
  copy: "M8 5H5v16h14V5h-3M9 3h6v4H9z",
  paste: "M8 5H5v16h14V5h-3M9 3h6v4H9zM12 10v7M9 14l3 3 3-3",
  remove: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5",
  snap: "M5 4v8a7 7 0 0 0 14 0V4h-4v8a3 3 0 0 1-6 0V4zM5 8h4M15 8h4",
  fit: "M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5",
  closer: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.5 15.5L20 20M8 11h6M11 8v6",
  farther: "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.5 15.5L20 20M8 11h6",
  screen: "M3 5h18v12H3zM8 21h8M12 17v4",
  tracks: "M9 6h11M9 12h11M9 18h11M4 6h.01M4 12h.01M4 18h.01",
  picture: "M3 5h18v14H3zM3 16l5-5 4 4 3-3 6 5M15.5 9h.01",
  clear: "M6 6l12 12M18 6L6 18",
  play: "M7 4l13 8-13 8z",
  pause: "M8 4v16M16 4v16",
  on: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  off: "M2 12s4-7 10-7 10 7 10 7-4 7-10 7S2 12 2 12M4 20L20 4",
  mix: "M9 6a6 6 0 1 0 0 12A6 6 0 0 0 9 6M15 6a6 6 0 1 1 0 12 6 6 0 0 1 0-12",
  blink: "M4 9h14M14.5 5.5L18 9l-3.5 3.5M20 15H6M9.5 11.5L6 15l3.5 3.5",
  difference: "M12 4v8M8 8h8M8 18h8",
  follow: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v3M12 19v3M2 12h3M19 12h3",
  back: "M15 5l-7 7 7 7",
  forward: "M9 5l7 7-7 7",
  peak: "M3 19l5-8 3 4 4-11 6 15",
  reset: "M4 12a8 8 0 1 0 3-6M4 4v5h5",
};

/**
 * The icon with this name.
 * @param {keyof typeof STROKES} name
 * @returns {SVGElement}
 */
export function icon(name) {
  return s("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, s("path", { d: STROKES[name] }));
}
