/**
 * Edits of a document of tracks: each function takes one and returns a new one, which shares its unchanged parts.
 *
 * A point's name is the id of its track and its index in it, as in "3/0"; a selection is a set of such names. Knows nothing
 * of screens or pointers.
 *
 * @typedef {import("../track_math.js").Document} Document
 * @typedef {import("../track_math.js").Track} Track
 * @typedef {import("../track_math.js").Point} Point
 */

import { newTrack, segments, times, transformed } from "../track_math.js";

/** The name of a point. */
export const keyOf = (id, index) => `${id}/${index}`;

/**
 * The track id and the index in a point's name.
 * @param {string} key
 * @returns {{id: string, index: number}}
 */
export function parted(key) {
  const slash = key.lastIndexOf("/");
  return { id: key.slice(0, slash), index: Number(key.slice(slash + 1)) };
}

/** The track with this id, or undefined. @param {Document} doc */
export const trackOf = (doc, id) => doc.tracks.find((track) => track.id === id);

/** The names of all points of these tracks. @param {Track[]} tracks */
export const keysOf = (tracks) => tracks.flatMap((track) => track.pts.map((_, index) => keyOf(track.id, index)));

/** Those of `keys` whose points exist. @param {Document} doc */
export function present(doc, keys) {
  const there = new Set(keysOf(doc.tracks));
  return new Set([...keys].filter((key) => there.has(key)));
}

/** The tracks that have a point among `keys`. @param {Document} doc */
export function touched(doc, keys) {
  const ids = new Set([...keys].map((key) => parted(key).id));
  return doc.tracks.filter((track) => ids.has(track.id));
}

/** With `tracks` appended. @param {Document} doc @param {Track[]} tracks */
export const withTracks = (doc, ...tracks) => ({ ...doc, tracks: [...doc.tracks, ...tracks] });

/** Without the tracks with these ids. @param {Document} doc @param {Set<string>} ids */
export const withoutTracks = (doc, ids) => ({ ...doc, tracks: doc.tracks.filter((track) => !ids.has(track.id)) });

/**
 * With the track with this id changed: `change` is an object of new fields, or a function from the track to one.
 * @param {Document} doc
 * @param {string} id
 * @param {Partial<Track> | ((track: Track) => Partial<Track>)} change
 * @returns {Document}
 */
export function changed(doc, id, change) {
  const made = (track) => ({ ...track, ...(typeof change === "function" ? change(track) : change) });
  return { ...doc, tracks: doc.tracks.map((track) => (track.id === id ? made(track) : track)) };
}

/**
 * With the points of `keys` moved, scaled and rotated by `transformed` of `track_math.js`; their times stay.
 * @param {Document} doc
 * @param {Iterable<string>} keys
 * @param {{move?: number[], scale?: number[], rotate?: number, about?: number[]}} how
 * @returns {Document}
 */
export function moved(doc, keys, how) {
  const chosen = new Map();
  for (const { id, index } of [...keys].map(parted)) chosen.set(id, [...(chosen.get(id) ?? []), index]);
  const tracks = doc.tracks.map((track) =>
    chosen.has(track.id) ? transformed(track, { ...how, only: chosen.get(track.id) }) : track,
  );
  return { ...doc, tracks };
}

/** Without the points of `keys`; a track that loses all of its points is removed too. @param {Document} doc */
export function withoutPoints(doc, keys) {
  const gone = new Set(keys);
  const tracks = doc.tracks.map((track) => {
    const pts = track.pts.filter((_, index) => !gone.has(keyOf(track.id, index)));
    return pts.length === track.pts.length ? track : { ...track, pts };
  });
  return { ...doc, tracks: tracks.filter((track) => track.pts.length) };
}

/**
 * With a point inserted into a track at `index`. A point after the last one takes over the end of the clip from it.
 * @param {Document} doc
 * @param {string} id
 * @param {number} index
 * @param {number[]} place
 * @returns {Document}
 */
export function withPoint(doc, id, index, [x, y]) {
  return changed(doc, id, ({ pts }) => {
    const freed = index === pts.length ? pts.map((point, at) => (at && point[2] === 1 ? timed(point, null) : point)) : pts;
    return { pts: [...freed.slice(0, index), [x, y, null, null, null, null, null], ...freed.slice(index)] };
  });
}

/** With the numbers of a point, such as its handles, replaced from index `from` on. @param {Document} doc */
export const withNumbers = (doc, id, index, from, numbers) =>
  changed(doc, id, ({ pts }) => ({
    pts: pts.map((point, at) =>
      at === index ? [...point.slice(0, from), ...numbers, ...point.slice(from + numbers.length)] : point,
    ),
  }));

/**
 * With the time of a point fixed as near to `f` as its neighbours allow, or interpolated from them if `f` is null.
 * @param {Document} doc
 * @param {string} id
 * @param {number} index
 * @param {number | null} f
 * @returns {Document}
 */
export function withTime(doc, id, index, f) {
  const track = trackOf(doc, id);
  if (f === null) return changed(doc, id, { pts: track.pts.map((point, at) => (at === index ? timed(point, null) : point)) });
  const passed = times(track);
  const fixed = (at) => at === 0 || at === passed.length - 1 || track.pts[at][2] !== null;
  let [before, after] = [index - 1, index + 1];
  while (before > 0 && !fixed(before)) before -= 1;
  while (after < passed.length - 1 && !fixed(after)) after += 1;
  const low = before < 0 ? 0 : passed[before] + LEAST * (index - before);
  const high = after >= passed.length ? 1 : passed[after] - LEAST * (after - index);
  if (low > high) return doc;
  const time = Math.min(Math.max(f, low), high);
  return changed(doc, id, { pts: track.pts.map((point, at) => (at === index ? timed(point, time) : point)) });
}

/** The minimum share of the clip between two points. */
const LEAST = 0.002;

/**
 * With times at which a track passes its points at one speed along its curve, and without easing.
 * @param {Document} doc
 * @param {string} id
 * @returns {Document}
 */
export function paced(doc, id) {
  const track = trackOf(doc, id);
  const passed = times(track);
  const lengths = segments(track).map(lengthOf);
  const whole = lengths.reduce((sum, length) => sum + length, 0);
  const ways = lengths.map((length) => Math.max(length, LEAST * whole)); // points in one place need times of their own
  const sum = ways.reduce((total, way) => total + way, 0);
  if (!(sum > 0)) return doc;
  let gone = 0;
  const pts = track.pts.map((point, index) => {
    gone += ways[index - 1] ?? 0;
    const inner = index > 0 && index < ways.length;
    return inner ? timed(point, passed[0] + ((passed.at(-1) - passed[0]) * gone) / sum) : point;
  });
  return changed(doc, id, { pts, ease: "linear" });
}

/** The length of a cubic Bezier, by chords. */
function lengthOf([start, out, into, end]) {
  const at = (u) => {
    const v = 1 - u;
    return [0, 1].map((axis) => v ** 3 * start[axis] + 3 * v * v * u * out[axis] + 3 * v * u * u * into[axis] + u ** 3 * end[axis]);
  };
  const places = Array.from({ length: CHORDS + 1 }, (_, step) => at(step / CHORDS));
  return places.slice(1).reduce((sum, [x, y], index) => sum + Math.hypot(x - places[index][0], y - places[index][1]), 0);
}

const CHORDS = 32;

const timed = ([x, y, , ...rest], f) => [x, y, f, ...rest];

/**
 * With copies of these tracks, moved `by` [dx, dy], and the ids of the copies.
 * @param {Document} doc
 * @param {Track[]} tracks
 * @param {[number, number]} by
 * @returns {{doc: Document, ids: string[]}}
 */
export function withCopies(doc, tracks, by = [0, 0]) {
  const ids = [];
  for (const { id: _, color: __, name, ...track } of tracks) {
    const copy = newTrack(doc, transformed(track, { move: by }).pts, { ...track, name: nameOf(doc, name) });
    ids.push(copy.id);
    doc = withTracks(doc, copy);
  }
  return { doc, ids };
}

/** `name`, or a similar name that no track has: "Hand", "Hand 2", "Hand 3". */
function nameOf(doc, name) {
  const taken = new Set(doc.tracks.map((track) => track.name));
  const [, stem, number] = /^(.*?)(?: (\d+))?$/s.exec(name);
  let made = name;
  for (let next = Number(number ?? 1) + 1; taken.has(made); next += 1) made = `${stem} ${next}`;
  return made;
}

/**
 * The bounding box of the points of `keys`, or null if there are none.
 * @param {Document} doc
 * @returns {{left: number, top: number, right: number, bottom: number} | null}
 */
export function boundsOf(doc, keys) {
  const chosen = new Set(keys);
  const points = doc.tracks.flatMap((track) => track.pts.filter((_, index) => chosen.has(keyOf(track.id, index))));
  if (!points.length) return null;
  const xs = points.map((point) => point[0]);
  const ys = points.map((point) => point[1]);
  return { left: Math.min(...xs), top: Math.min(...ys), right: Math.max(...xs), bottom: Math.max(...ys) };
}
