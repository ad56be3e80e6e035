/**
 * Hit testing at a place in the picture: handles, points, curves and matches. Points win over curves, and those of the active
 * track over others, whatever the drawing order. Knows nothing of the DOM: `reach` is in pixels of the picture.
 *
 * @typedef {import("../track_math.js").Document} Document
 * @typedef {{kind: "handle", id: string, index: number, side: "in"|"out"} | {kind: "point", id: string, index: number}
 *           | {kind: "curve", id: string, index: number}} Hit  a curve's index is that of the segment's start
 */

import { handles, segments } from "../track_math.js";
import { keyOf, trackOf } from "./edits.js";

const STEPS = 24;

/**
 * @param {Document} doc
 * @param {import("./store.js").Look} look
 * @param {[number, number]} place
 * @param {number} reach
 * @returns {Hit | null}
 */
export function hitAt(doc, look, place, reach) {
  return handleAt(doc, look, place, reach) ?? pointAt(doc, look, place, reach) ?? curveAt(doc, place, reach);
}

/** The point whose handles are shown: the only selected one, on a curve that uses handles; else null. */
export function handled(doc, look) {
  if (look.keys.size !== 1) return null;
  const [key] = look.keys;
  const track = trackOf(doc, look.active);
  const index = track?.pts.findIndex((_, at) => keyOf(track.id, at) === key) ?? -1;
  if (index < 0 || track.interp !== "catmull" || track.pts.length < 2) return null;
  const [into, out] = handles(track)[index];
  return { track, index, in: into, out };
}

function handleAt(doc, look, place, reach) {
  const shown = handled(doc, look);
  if (!shown) return null;
  const [x, y] = shown.track.pts[shown.index];
  const near = (side) => shown[side] && away(place, [x + shown[side][0], y + shown[side][1]]) <= reach;
  const side = ["out", "in"].find(near);
  if (!side || away(place, [x, y]) <= reach / 2) return null;
  return { kind: "handle", id: shown.track.id, index: shown.index, side };
}

function pointAt(doc, look, place, reach) {
  let best = null;
  for (const track of doc.tracks.filter((one) => one.on)) {
    track.pts.forEach((point, index) => {
      const preferred = (track.id === look.active) + look.keys.has(keyOf(track.id, index));
      const distance = away(place, point) - (preferred * reach) / 4;
      if (away(place, point) <= reach && (!best || distance < best.distance)) {
        best = { distance, hit: { kind: "point", id: track.id, index } };
      }
    });
  }
  return best?.hit ?? null;
}

function curveAt(doc, place, reach) {
  let best = null;
  for (const track of doc.tracks.filter((one) => one.on)) {
    segments(track).forEach((bezier, index) => {
      let start = bezier[0];
      for (let step = 1; step <= STEPS; step += 1) {
        const end = cubic(bezier, step / STEPS);
        const distance = toLine(place, start, end);
        if (distance <= reach * 0.7 && (!best || distance < best.distance)) {
          best = { distance, hit: { kind: "curve", id: track.id, index } };
        }
        start = end;
      }
    });
  }
  return best?.hit ?? null;
}

/**
 * The match whose end is nearest to a place, or null if none is within reach. `end` 0 is on the first frame, 1 on the last.
 * @param {[number, number, number, number][]} matches
 * @param {[number, number]} place
 * @param {number} reach
 * @param {0 | 1} end
 */
export function matchAt(matches, place, reach, end) {
  let best = null;
  for (const match of matches) {
    const distance = away(place, match.slice(2 * end, 2 * end + 2));
    if (distance <= reach && (!best || distance < best.distance)) best = { distance, match };
  }
  return best?.match ?? null;
}

const away = (a, b) => Math.hypot(a[0] - b[0], a[1] - b[1]);

function cubic([a, b, c, d], u) {
  const v = 1 - u;
  return [0, 1].map((axis) => v ** 3 * a[axis] + 3 * v * v * u * b[axis] + 3 * v * u * u * c[axis] + u ** 3 * d[axis]);
}

function toLine(place, start, end) {
  const [dx, dy] = [end[0] - start[0], end[1] - start[1]];
  const long = dx * dx + dy * dy;
  const share = long === 0 ? 0 : ((place[0] - start[0]) * dx + (place[1] - start[1]) * dy) / long;
  const held = Math.min(Math.max(share, 0), 1);
  return away(place, [start[0] + dx * held, start[1] + dy * held]);
}
