/** Reduces a freehand stroke to the few points of a track. */

import { along, newTrack, simplified } from "../track_math.js";

const MOST = 24;

/**
 * The fewest places, evenly spaced along a stroke, whose smooth curve stays within `tolerance` pixels of it.
 *
 * Even spacing lets a track through them run at constant speed, with its easing acting on the whole. There are at most 24.
 *
 * @param {[number, number][]} stroke
 * @param {number} tolerance
 * @returns {[number, number][]}
 */
export function fewest(stroke, tolerance) {
  const line = simplified(stroke, tolerance / 3);
  if (lengthOf(line) < tolerance) return [line[0]];
  let places = [];
  for (let count = 2; count <= MOST; count += 1) {
    places = evenly(line, count);
    if (strays(places, line) <= tolerance) return places;
  }
  return places;
}

/** The maximum distance of the curve through `places` from `line`. */
function strays(places, line) {
  const at = along(newTrack({ tracks: [] }, places));
  const steps = 8 * places.length;
  const curve = Array.from({ length: steps + 1 }, (_, step) => at(step / steps));
  const samples = [...line, ...evenly(line, steps + 1)];
  return Math.max(...samples.map(([x, y]) => Math.min(...curve.map((place) => Math.hypot(place[0] - x, place[1] - y)))));
}

/** `count` places at even distances along a line. */
function evenly(line, count) {
  const step = lengthOf(line) / (count - 1);
  const places = [line[0]];
  let [passed, wanted] = [0, step];
  for (let index = 1; index < line.length && places.length < count - 1; index += 1) {
    const [start, end] = [line[index - 1], line[index]];
    const long = Math.hypot(end[0] - start[0], end[1] - start[1]);
    while (wanted <= passed + long && places.length < count - 1) {
      const share = long === 0 ? 0 : (wanted - passed) / long;
      places.push([start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share]);
      wanted += step;
    }
    passed += long;
  }
  return [...places, line.at(-1)];
}

function lengthOf(line) {
  return line.slice(1).reduce((sum, [x, y], index) => sum + Math.hypot(x - line[index][0], y - line[index][1]), 0);
}
