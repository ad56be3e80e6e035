/**
 * Drawn tracks: the document, and the position of each track at any instant.
 *
 * Owns the document's text and its arithmetic, which agrees with `vfi/tracks` to 1e-6: one fixture file tests both. Knows
 * nothing of the DOM, of ComfyUI, or of what tracks are used for.
 *
 * The document as JSON, with the default of each optional field:
 *
 *     {"v": 1, "size": [W, H], "tracks": [track, ...]}
 *     track: {"id": "1", "name": "Track 1", "color": "#e69f00", "on": true, "interp": "catmull", "ease": "linear",
 *             "span": [0, 1], "pts": [point, ...]}
 *     point: [x, y], [x, y, f] or [x, y, f, inX, inY, outX, outY]
 *
 * - x and y are pixels of a W x H picture; 0, 0 is the centre of its first pixel, so the picture's edges are at -0.5 and
 *   W - 0.5.
 * - f is the time at which the point is passed: 0 is the first keyframe, 1 the last. null: the first point at 0, the last
 *   at 1, others evenly between the timed points around them. Times increase. Before its first point and after its last one,
 *   a track stands still; a single point is an anchor.
 * - `ease` applies from each timed point (the first, the last, and those with an f) to the next: a name of `EASES` or a cubic
 *   Bezier [x1, y1, x2, y2] as in CSS, with x1 and x2 within 0..1.
 * - `interp`: "linear" is straight; "catmull" is a centripetal Catmull-Rom curve, whose shape does not depend on time;
 *   "pchip" is monotone in x and in y between two points, and its shape depends on time (as in Framer).
 * - in and out are the handles of a "catmull" point, in pixels from the point; null uses the curve's own. The other two kinds
 *   of curve keep them but ignore them.
 * - `span` is when the track is visible, and changes nothing else. `on`: whether the track counts at all.
 *
 * A parsed document has all fields, and each point has 7 numbers or nulls.
 *
 * @typedef {[number, number]} Place
 * @typedef {(number | null)[]} Point
 * @typedef {string | [number, number, number, number]} Ease
 * @typedef {{id: string, name: string, color: string, on: boolean, interp: "catmull" | "linear" | "pchip", ease: Ease,
 *            span: [number, number], pts: Point[]}} Track
 * @typedef {{v: 1, size: [number, number], tracks: Track[]}} Document
 */

export const VERSION = 1;
export const INTERPS = ["catmull", "linear", "pchip"];

/** The named easings, as cubic Beziers: those of CSS. */
export const EASES = { linear: [0, 0, 1, 1], in: [0.42, 0, 1, 1], out: [0, 0, 0.58, 1], inout: [0.42, 0, 0.58, 1] };

/** Colours given to tracks in turn; safe for colour-blind viewers (Okabe and Ito, "Color Universal Design", 2008). */
export const COLORS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];

const FIELDS = ["id", "name", "color", "on", "interp", "ease", "span", "pts"];

/** An empty document for pictures of `size` [W, H]. @returns {Document} */
export function blank(size) {
  return { v: VERSION, size: [size[0], size[1]], tracks: [] };
}

/**
 * A new track for a document, with the first free id and the next colour.
 *
 * @param {Document} doc @param {Point[]} pts @param {Partial<Track>} [fields] @returns {Track}
 */
export function newTrack(doc, pts, fields = {}) {
  const taken = new Set(doc.tracks.map((track) => track.id));
  let number = 1;
  while (taken.has(String(number))) number += 1;
  const color = COLORS[(number - 1) % COLORS.length];
  return track({ id: String(number), name: `Track ${number}`, color, ...fields, pts }, "track", number - 1);
}

/** The document in a text. Throws an Error that says where the text is wrong. @returns {Document} */
export function parse(text) {
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new Error(`the tracks are not valid JSON: ${error.message}`);
  }
  return checked(data);
}

/** The document in parsed JSON; it shares nothing with `data`. @returns {Document} */
export function checked(data) {
  fields(data, "the document", ["v", "size", "tracks"]);
  if (data.v !== VERSION) throw new Error(`v is ${short(data.v)}: this version reads tracks of form ${VERSION}`);
  if (!numbers(data.size, 2) || !(data.size[0] > 0 && data.size[1] > 0))
    throw new Error(`size is ${short(data.size)}: it must be [width, height] in pixels, both above 0`);
  if (!Array.isArray(data.tracks)) throw new Error(`tracks is ${short(data.tracks)}: it must be a list, [...]`);
  return { v: VERSION, size: [...data.size], tracks: data.tracks.map((one, index) => track(one, `tracks[${index}]`, index)) };
}

/** The document as text: numbers to a thousandth of a pixel, points without their trailing nulls. */
export function stringify(doc) {
  const tracks = doc.tracks.map((one) => ({ ...one, pts: one.pts.map(trimmed) }));
  return JSON.stringify({ v: VERSION, size: doc.size, tracks });
}

function trimmed(point) {
  const rounded = point.map((value, index) => {
    if (value === null) return null;
    const places = index === 2 ? 1e5 : 1e3;
    return Math.round(value * places) / places;
  });
  while (rounded.length > 2 && rounded.at(-1) === null) rounded.pop();
  return rounded.length > 3 ? [...rounded, ...Array(7 - rounded.length).fill(null)] : rounded;
}

function track(data, where, index) {
  fields(data, where, FIELDS);
  const { id = String(index + 1), name = `Track ${index + 1}`, color = COLORS[index % COLORS.length], on = true } = data;
  const { interp = "catmull", ease = "linear", span = [0, 1], pts } = data;
  for (const [key, value] of Object.entries({ id, name, color }))
    if (typeof value !== "string") throw new Error(`${where}.${key} is ${short(value)}: it must be a text`);
  if (typeof on !== "boolean") throw new Error(`${where}.on is ${short(on)}: it must be true or false`);
  if (!INTERPS.includes(interp)) throw new Error(`${where}.interp is ${short(interp)}: it must be catmull, linear or pchip`);
  const curve = typeof ease === "string" ? Object.hasOwn(EASES, ease) : numbers(ease, 4) && inside(ease[0]) && inside(ease[2]);
  if (!curve)
    throw new Error(
      `${where}.ease is ${short(ease)}: it must be linear, in, out, inout or [x1, y1, x2, y2] with x1 and x2 within 0 and 1`,
    );
  if (!numbers(span, 2) || !inside(span[0]) || !inside(span[1]) || span[0] > span[1])
    throw new Error(`${where}.span is ${short(span)}: it must be [start, end] within 0 and 1`);
  if (!Array.isArray(pts) || pts.length === 0) throw new Error(`${where}.pts is ${short(pts)}: it must be a list of points`);
  const points = pts.map((one, at) => point(one, `${where}.pts[${at}]`));
  const made = { id, name, color, on, interp, ease: Array.isArray(ease) ? [...ease] : ease, span: [...span], pts: points };
  const passed = times(made);
  for (let at = 1; at < passed.length; at += 1)
    if (!(passed[at] > passed[at - 1]))
      throw new Error(`${where}.pts[${at}] is passed at ${passed[at]}: it must be after the one before, ${passed[at - 1]}`);
  return made;
}

function point(data, where) {
  const right = Array.isArray(data) && [2, 3, 7].includes(data.length) && numbers(data.slice(0, 2), 2);
  const rest = right ? data.slice(2) : [];
  const paired = rest.length < 5 || ((rest[1] === null) === (rest[2] === null) && (rest[3] === null) === (rest[4] === null));
  if (!right || !paired || !rest.every((value) => value === null || Number.isFinite(value)))
    throw new Error(`${where} is ${short(data)}: a point is [x, y], [x, y, time] or [x, y, time, in x, in y, out x, out y]`);
  if (rest.length && rest[0] !== null && !inside(rest[0]))
    throw new Error(`${where}[2] is ${short(rest[0])}: a time lies within 0 and 1`);
  return [...data, ...Array(7 - data.length).fill(null)];
}

function fields(data, where, known) {
  if (typeof data !== "object" || data === null || Array.isArray(data))
    throw new Error(`${where} is ${short(data)}: it must be an object, {...}`);
  for (const key of Object.keys(data))
    if (!known.includes(key))
      throw new Error(`${where} has an unknown field ${JSON.stringify(key)}: it may have ${known.join(", ")}`);
}

function numbers(value, count) {
  return Array.isArray(value) && value.length === count && value.every((one) => Number.isFinite(one));
}

function inside(value) {
  return value >= 0 && value <= 1;
}

function short(value) {
  const text = value === undefined ? "missing" : JSON.stringify(value);
  return text.length <= 40 ? text : `${text.slice(0, 37)}...`;
}

/** The instants of `frames` frames, from 0 (the first keyframe) to 1 (the last). */
export function instants(frames) {
  return Array.from({ length: frames }, (_, index) => (frames === 1 ? 0 : index / (frames - 1)));
}

/** The time at which each point of a track is passed. @param {Track} track @returns {number[]} */
export function times(track) {
  const last = track.pts.length - 1;
  const known = track.pts.map((one) => one[2] ?? null);
  if (last > 0) known[last] ??= 1;
  known[0] ??= 0;
  const keys = [...known.keys()].filter((index) => known[index] !== null);
  return known.map((time, index) => {
    if (time !== null) return time;
    const before = keys.findLast((key) => key < index);
    const after = keys.find((key) => key > index);
    return known[before] + ((known[after] - known[before]) * (index - before)) / (after - before);
  });
}

/** The value of an easing at `u`, 0 to 1; a Bezier may go below 0 or above 1 in between. @param {Ease} ease */
export function eased(ease, u) {
  if (u <= 0) return 0;
  if (u >= 1) return 1;
  if (ease === "linear") return u;
  const [x1, y1, x2, y2] = typeof ease === "string" ? EASES[ease] : ease;
  let low = 0;
  let high = 1;
  for (let step = 0; step < 52; step += 1) {
    const middle = (low + high) / 2;
    if (bernstein(0, x1, x2, 1, middle) < u) low = middle;
    else high = middle;
  }
  return bernstein(0, y1, y2, 1, (low + high) / 2);
}

/** The eased time of a track at the instant `t`, from that of its first point to that of its last. @param {Track} track */
export function curveTime(track, t) {
  const passed = times(track);
  const last = passed.length - 1;
  const keys = [...passed.keys()].filter((index) => index === 0 || index === last || (track.pts[index][2] ?? null) !== null);
  if (t <= passed[0]) return passed[0];
  if (t >= passed[last]) return passed[last];
  const at = keys.findLastIndex((key) => passed[key] <= t);
  const [start, end] = [passed[keys[at]], passed[keys[at + 1]]];
  const time = start + (end - start) * eased(track.ease, (t - start) / (end - start));
  return Math.min(Math.max(time, passed[0]), passed[last]);
}

/**
 * The curve from each point to the next, as a cubic Bezier: [point, out handle, in handle, point], all in pixels.
 *
 * Its parameter runs evenly while the eased time goes from one point's time to the next.
 *
 * @param {Track} track @returns {[Place, Place, Place, Place][]}
 */
export function segments(track) {
  const places = track.pts.map(([x, y]) => [x, y]);
  const slopes = track.interp === "pchip" ? [0, 1].map((axis) => slopesOf(times(track), places.map((p) => p[axis]))) : null;
  const passed = slopes && times(track);
  return places.slice(1).map((end, index) => {
    const start = places[index];
    let out = between(start, end, 1 / 3);
    let into = between(start, end, 2 / 3);
    if (slopes) {
      const third = (passed[index + 1] - passed[index]) / 3;
      out = [0, 1].map((axis) => start[axis] + slopes[axis][index] * third);
      into = [0, 1].map((axis) => end[axis] - slopes[axis][index + 1] * third);
    } else if (track.interp === "catmull") {
      const [, , , , , outX = null, outY] = track.pts[index];
      const [, , , inX = null, inY] = track.pts[index + 1];
      out = outX === null ? smooth(places[index - 1], start, end) : [start[0] + outX, start[1] + outY];
      into = inX === null ? smooth(places[index + 2], end, start) : [end[0] + inX, end[1] + inY];
    }
    return [start, out, into, end];
  });
}

/** The handle of `here` towards `next` on a centripetal Catmull-Rom curve coming from `before`, in pixels. */
function smooth(before, here, next) {
  const far = Math.hypot(next[0] - here[0], next[1] - here[1]);
  const near = before ? Math.hypot(here[0] - before[0], here[1] - before[1]) : 0;
  if (near === 0 || far === 0) return between(here, next, 1 / 3);
  const [a, b] = [Math.sqrt(near), Math.sqrt(far)];
  const own = 2 * near + 3 * a * b + far;
  return [0, 1].map((axis) => (near * next[axis] - far * before[axis] + own * here[axis]) / (3 * a * (a + b)));
}

/** The slope at each point of a monotone cubic (Fritsch and Butland 1984), as in SciPy's PCHIP. */
function slopesOf(at, values) {
  const widths = at.slice(1).map((time, index) => time - at[index]);
  const steps = widths.map((width, index) => (values[index + 1] - values[index]) / width);
  if (steps.length < 2) return [steps[0] ?? 0, steps[0] ?? 0];
  const inner = steps.slice(1).map((after, index) => {
    const before = steps[index];
    if (before * after <= 0) return 0;
    const [first, second] = [2 * widths[index + 1] + widths[index], widths[index + 1] + 2 * widths[index]];
    return (first + second) / (first / before + second / after);
  });
  const end = (width, other, step, beyond) => {
    const slope = ((2 * width + other) * step - width * beyond) / (width + other);
    if (slope * step <= 0) return 0;
    return step * beyond < 0 && Math.abs(slope) > 3 * Math.abs(step) ? 3 * step : slope;
  };
  return [end(widths[0], widths[1], steps[0], steps[1]), ...inner, end(widths.at(-1), widths.at(-2), steps.at(-1), steps.at(-2))];
}

function between(start, end, share) {
  return [start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share];
}

function bernstein(a, b, c, d, u) {
  const v = 1 - u;
  return v * v * v * a + 3 * v * v * u * b + 3 * v * u * u * c + u * u * u * d;
}

/** The handles of each point, [in, out] in pixels from it, null if there is none: those given, else the curve's own. */
export function handles(track) {
  const chain = segments(track);
  return track.pts.map(([x, y], index) => {
    const into = index > 0 ? chain[index - 1][2] : null;
    const out = index < chain.length ? chain[index][1] : null;
    return [into, out].map((place) => place && [place[0] - x, place[1] - y]);
  });
}

/** The curve as the `d` of an SVG path; for a single point, a line of zero length, which a round cap shows as a dot. */
export function pathData(track) {
  const chain = segments(track);
  const [x, y] = track.pts[0];
  const curves = chain.map(([, out, into, end]) => `C${[out, into, end].flat().map((value) => +value.toFixed(3)).join(" ")}`);
  return `M${+x.toFixed(3)} ${+y.toFixed(3)}${curves.join("") || "h0"}`;
}

/** The position of a track at the instant `t`. @param {Track} track @returns {Place} */
export function position(track, t) {
  return along(track)(t);
}

/** The position of a track as a function of t, for many instants. @param {Track} track @returns {(t: number) => Place} */
export function along(track) {
  const [chain, passed] = [segments(track), times(track)];
  if (!chain.length) return () => [track.pts[0][0], track.pts[0][1]];
  return (t) => {
    const time = curveTime(track, t);
    const index = Math.min(Math.max(passed.findLastIndex((start) => start <= time), 0), chain.length - 1);
    const u = (time - passed[index]) / (passed[index + 1] - passed[index]);
    const [start, out, into, end] = chain[index];
    return [0, 1].map((axis) => bernstein(start[axis], out[axis], into[axis], end[axis], u));
  };
}

/** Whether a track is visible at the instant `t`, with a tolerance of 1e-9 of a clip. @param {Track} track */
export function visible(track, t) {
  return t >= track.span[0] - 1e-9 && t <= track.span[1] + 1e-9;
}

/**
 * The tracks that are on, sampled at `frames` frames.
 *
 * @param {Document} doc @param {number} frames @returns {{id: string, path: Place[], visible: boolean[]}[]}
 */
export function sample(doc, frames) {
  const at = instants(frames);
  return doc.tracks
    .filter((one) => one.on)
    .map((one) => ({ id: one.id, path: at.map(along(one)), visible: at.map((t) => visible(one, t)) }));
}

/** A sampled path resampled to another number of frames, along straight lines. @param {Place[]} path @returns {Place[]} */
export function resampled(path, frames) {
  return instants(frames).map((t) => {
    const place = t * (path.length - 1);
    const index = Math.min(Math.floor(place), Math.max(path.length - 2, 0));
    return between(path[index], path[Math.min(index + 1, path.length - 1)], place - index);
  });
}

/** The document scaled to pictures of another `size` [W, H]. @returns {Document} */
export function scaled(doc, size) {
  const [sx, sy] = [size[0] / doc.size[0], size[1] / doc.size[1]];
  return {
    ...doc,
    size: [...size],
    tracks: doc.tracks.map((one) => transformed(one, { scale: [sx, sy], about: [-0.5, -0.5] })),
  };
}

/**
 * A track scaled by [sx, sy] and then rotated clockwise by `rotate` degrees `about` a place, and then moved by [dx, dy].
 *
 * `only`: the indices of the points to change; all if omitted.
 *
 * @param {Track} track @returns {Track}
 */
export function transformed(track, { move = [0, 0], scale = [1, 1], rotate = 0, about = [0, 0], only = null } = {}) {
  const [cos, sin] = [Math.cos((rotate * Math.PI) / 180), Math.sin((rotate * Math.PI) / 180)];
  const turned = (x, y) => [scale[0] * x * cos - scale[1] * y * sin, scale[0] * x * sin + scale[1] * y * cos];
  const pts = track.pts.map((one, index) => {
    if (only && !only.includes(index)) return [...one];
    const [x, y, f = null, inX = null, inY = null, outX = null, outY = null] = one;
    const [newX, newY] = turned(x - about[0], y - about[1]);
    const into = inX === null ? [null, null] : turned(inX, inY);
    const out = outX === null ? [null, null] : turned(outX, outY);
    return [newX + about[0] + move[0], newY + about[1] + move[1], f, ...into, ...out];
  });
  return { ...track, pts };
}

/** A track that runs backwards: its position at t becomes that at 1 - t. @param {Track} track @returns {Track} */
export function reversed(track) {
  const pts = track.pts.map(([x, y, f = null, inX = null, inY = null, outX = null, outY = null]) => {
    return [x, y, f === null ? null : 1 - f, outX, outY, inX, inY];
  });
  const [x1, y1, x2, y2] = typeof track.ease === "string" ? EASES[track.ease] : track.ease;
  const turned = { linear: "linear", in: "out", out: "in", inout: "inout" };
  const ease = typeof track.ease === "string" ? turned[track.ease] : [1 - x2, 1 - y2, 1 - x1, 1 - y1];
  return { ...track, pts: pts.reverse(), ease, span: [1 - track.span[1], 1 - track.span[0]] };
}

/**
 * The fewest of `places`, including both ends, whose polyline passes within `tolerance` pixels of all of them.
 *
 * Ramer 1972; Douglas and Peucker 1973. @param {Place[]} places @returns {Place[]}
 */
export function simplified(places, tolerance) {
  if (places.length < 3) return places.map((one) => [...one]);
  const last = places.length - 1;
  const kept = new Set([0, last]);
  const open = [[0, last]];
  while (open.length) {
    const [from, to] = open.pop();
    let [worst, most] = [-1, tolerance];
    for (let index = from + 1; index < to; index += 1) {
      const distance = toLine(places[index], places[from], places[to]);
      if (distance > most) [worst, most] = [index, distance];
    }
    if (worst >= 0) {
      kept.add(worst);
      open.push([from, worst], [worst, to]);
    }
  }
  return places.filter((_, index) => kept.has(index)).map((one) => [...one]);
}

function toLine(place, start, end) {
  const [dx, dy] = [end[0] - start[0], end[1] - start[1]];
  const long = dx * dx + dy * dy;
  const share = long === 0 ? 0 : Math.min(Math.max(((place[0] - start[0]) * dx + (place[1] - start[1]) * dy) / long, 0), 1);
  const [x, y] = between(start, end, share);
  return Math.hypot(place[0] - x, place[1] - y);
}
