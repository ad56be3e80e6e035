/**
 * Reads coordinates as nodes of other packs write them: `[{"x": 1, "y": 2}, ...]`, one place per frame, or a list of such lists,
 * one per track. Knows nothing of the editor.
 */

import { checked, parse, VERSION } from "../track_math.js";

const isPlace = (one) => Number.isFinite(one?.x) && Number.isFinite(one?.y);

/**
 * The document in a pasted text: a document, or coordinates in pixels of a picture of `size`. Throws an Error if it is neither.
 *
 * @param {string} text @param {[number, number]} size @returns {import("../track_math.js").Document}
 */
export function documentOf(text, size) {
  const lists = coordinates(text);
  if (!lists) return parse(text);
  const tracks = lists.map((places) => ({ interp: "linear", pts: distinct(places).map(({ x, y }) => [x, y]) }));
  return checked({ v: VERSION, size, tracks });
}

/** The places of each track; null if the text has none. */
function coordinates(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    return null; // `parse` says what is wrong
  }
  if (!Array.isArray(data) || !data.length) return null;
  const lists = data.every(isPlace) ? [data] : data;
  return lists.every((list) => Array.isArray(list) && list.length && list.every(isPlace)) ? lists : null;
}

/** A single place if they are all the same. */
function distinct(places) {
  const [{ x, y }] = places;
  return places.every((one) => one.x === x && one.y === y) ? places.slice(0, 1) : places;
}
