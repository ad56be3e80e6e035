/**
 * Spacing charts as data: their presets, the drawing that each frame shows, and edits of one chart. Mirrors `vfi/timing/charts.py`.
 *
 * @typedef {object} Row
 * @property {string} name  of a part, or REST
 * @property {string|number[]} spacing  a preset, or the place of each drawing: 0 is A, 1 is B
 * @property {number|null} on  frames per drawing; null: one for a preset, as even as they fit for ticks
 * @property {object} [more]  fields of the JSON that the view does not show
 */

export const REST = "*";
const FORMAT = 1;

const out = (share, count) => Array.from({ length: count }, (_, k) => share ** (count - k));
const into = (share, count) => Array.from({ length: count }, (_, k) => 1 - share ** (k + 1));
const both = (share, first, count) => {
  const side = Array.from({ length: Math.floor(count / 2) }, (_, k) => first * share ** k).reverse();
  return [...side, ...(count % 2 ? [0.5] : []), ...side.map((place) => 1 - place).reverse()];
};
const curve = (of) => (count) => Array.from({ length: count }, (_, k) => of((k + 1) / (count + 1)));
const smooth = (u) => u * u * (3 - 2 * u);
const power = (degree) => ({
  in: (u) => u ** degree,
  out: (u) => 1 - (1 - u) ** degree,
  "in-out": (u) => (u < 0.5 ? 2 ** (degree - 1) * u ** degree : 1 - 2 ** (degree - 1) * (1 - u) ** degree),
});

/** The places of a number of drawings, by the name of the preset. @type {Object<string, (count: number) => number[]>} */
export const PRESETS = {
  even: curve((u) => u),
  halves: (count) => both(1 / 2, 1 / 4, count),
  "halves-a": (count) => out(1 / 2, count),
  "halves-b": (count) => into(1 / 2, count),
  thirds: (count) => both(1 / 3, 1 / 3, count),
  "thirds-a": (count) => out(1 / 3, count),
  "thirds-b": (count) => into(1 / 3, count),
  "favour-a": curve((u) => u / (2 - u)),
  "favour-b": curve((u) => (2 * u) / (1 + u)),
  hold: curve(() => 0),
  ease: curve(smooth),
  "ease-in-out": curve(smooth),
  smoother: curve((u) => u ** 3 * (10 - 15 * u + 6 * u * u)),
  "ease-in": curve(power(2).in),
  "ease-out": curve(power(2).out),
};
for (const [degree, name] of [[2, "quad"], [3, "cubic"], [4, "quart"], [5, "quint"]]) {
  for (const [way, of] of Object.entries(power(degree))) PRESETS[`ease-${way}-${name}`] = curve(of);
}

/** The charts of an empty text. @returns {Row[]} */
export const blank = () => [{ name: REST, spacing: "even", on: null }];

/**
 * The rows of a JSON text; the rest is there, and comes first. Raises an error for a text that is no chart.
 * @param {string} text
 * @returns {Row[]}
 */
export function parse(text) {
  if (!text.trim()) return blank();
  const { charts } = JSON.parse(text);
  if (typeof charts !== "object" || charts === null || Array.isArray(charts)) throw new Error("charts is not an object");
  const rows = Object.entries(charts).map(([name, value]) => {
    const { spacing = "even", on = null, ...more } = typeof value === "object" && !Array.isArray(value) ? value : { spacing: value };
    const [preset, hold] = typeof spacing === "string" ? named(spacing) : [spacing.map(placeOf), null];
    return { name, spacing: preset, on: on === null ? hold : typeof on === "string" ? HOLDS[on] : on, ...(Object.keys(more).length ? { more } : {}) };
  });
  return rows.some((row) => row.name === REST) ? rows : [...blank(), ...rows];
}

export const HOLDS = { ones: 1, twos: 2, threes: 3, fours: 4 };

/** A preset and its hold from text such as "halves", "twos" or "ease-in on threes". */
function named(text) {
  const [, word, hold] = /^(.+?)(?:\s+on\s+(\w+))?$/.exec(text.trim().toLowerCase()) ?? [];
  const preset = (word ?? "").replace(/[\s_-]+/g, "-").replace("favor-", "favour-");
  if (!hold && preset in HOLDS) return ["even", HOLDS[preset]];
  if (!(preset in PRESETS) || (hold && !(hold in HOLDS))) throw new Error(`${text} is no preset`);
  return [preset, hold ? HOLDS[hold] : null];
}

/** A tick: a number, or a fraction such as "1/3". */
function placeOf(tick) {
  const [above, below = 1] = String(tick).split("/").map(Number);
  const place = above / below;
  if (!(place >= 0 && place <= 1)) throw new Error(`a tick at ${tick}`);
  return place;
}

/** The rows as JSON, readable by `parse`. @param {Row[]} rows */
export function stringify(rows) {
  const lines = rows.map(({ name, spacing, on, more = {} }) => {
    const rest = { ...(on ? { on } : {}), ...more };
    const value = Object.keys(rest).length ? { spacing, ...rest } : spacing;
    return `\n  ${JSON.stringify(name)}: ${JSON.stringify(value)}`;
  });
  return `{\n "v": ${FORMAT},\n "charts": {${lines.join(",")}\n }\n}\n`;
}

/** The places of a row's drawings. @param {Row} row @param {number} frames @returns {number[]} */
export function ticks({ spacing, on }, frames) {
  return typeof spacing === "string" ? PRESETS[spacing](Math.floor(frames / (on ?? 1))) : spacing;
}

/** The most drawings that a row has room for. */
export const most = ({ on }, frames) => Math.floor(frames / (on ?? 1));

/** The drawing that each frame between A and B shows, from 1; 0 is A. @param {Row} row @returns {number[]} */
export function drawings(row, frames) {
  const count = ticks(row, frames).length;
  const hold = typeof row.spacing === "string" ? (row.on ?? 1) : row.on;
  const of = hold ? (frame) => Math.min(Math.floor(frame / hold), count) : (frame) => Math.floor((frame * (count + 1)) / (frames + 1));
  return Array.from({ length: frames }, (_, index) => of(index + 1));
}

/** The place that each frame shows. @returns {number[]} */
export const places = (row, frames) => drawings(row, frames).map((drawing) => [0, ...ticks(row, frames)][drawing]);

const rounded = (place) => Math.round(Math.min(Math.max(place, 0), 1) * 1000) / 1000;

/** The row with the tick of this index at another place; a preset becomes ticks. @returns {Row} */
export const moved = (row, frames, index, place) => ({
  ...row,
  spacing: ticks(row, frames).map((tick, at) => (at === index ? rounded(place) : rounded(tick))),
});

/** The row with one more drawing, after those that lie before its place; the same row if it has no room. @returns {Row} */
export function added(row, frames, place) {
  const now = ticks(row, frames).map(rounded);
  if (now.length >= most(row, frames)) return row;
  const before = now.filter((tick) => tick < place).length;
  return { ...row, spacing: [...now.slice(0, before), rounded(place), ...now.slice(before)] };
}

/** The row without the tick of this index; it is held as long as fits. @returns {Row} */
export const removed = (row, frames, index) => ({
  ...row,
  spacing: ticks(row, frames).map(rounded).filter((_, at) => at !== index),
});

/** A name that no row has. @param {Row[]} rows */
export function newName(rows) {
  const taken = new Set(rows.map((row) => row.name));
  let number = 1;
  while (taken.has(`part ${number}`)) number += 1;
  return `part ${number}`;
}

/** "1-2, 5": the frames that show each drawing. @param {number[]} shown  the drawing of each frame */
export function framesOf(shown, drawing) {
  const runs = [];
  shown.forEach((one, index) => {
    if (one !== drawing) return;
    const last = runs.at(-1);
    if (last && last[1] === index) last[1] = index + 1;
    else runs.push([index + 1, index + 1]);
  });
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}
