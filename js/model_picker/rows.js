/**
 * The rows of the Model Picker: which are shown, in which order, and what each cell says. Knows nothing of elements.
 *
 * @typedef {object} Row  as `nodes/picker.py` describes it
 * @property {string} name
 * @property {"built in"|"on disk"|"download"|"convert"|"missing"} state
 * @property {string|null} choice
 * @property {string} file
 * @property {string} folder
 * @property {number|null} size
 * @property {string} network
 * @property {string} licence
 * @property {string} says
 * @property {string} url
 * @property {boolean|null} commercial
 * @property {string} suits
 * @property {string[]} qualities
 * @property {number|null} psnr
 * @property {number|null} seconds
 * @property {string} hint
 *
 * @typedef {object} View
 * @property {string} words  each must be somewhere in a row
 * @property {boolean} ready  only what can be used at once
 * @property {boolean} commercial  only what may be used commercially
 * @property {string|null} column  by which rows are sorted; null for the order of the combo
 * @property {boolean} down
 */

const STATES = { "built in": "included", "on disk": "on disk", download: "download", convert: "needs conversion", missing: "not here" };

/** The order of states: what is at hand first. */
const ORDER = Object.keys(STATES);

/** The order of licences: what allows commercial use first, what is not known last. */
const USES = [true, false, null];

const LADDER = ["linear", "draft", "fast", "normal", "best"];

/** The columns: a title, the text of a cell, and what it is sorted by; null and "" come last in either direction. */
export const COLUMNS = {
  name: { title: "Model", text: (row) => row.name, key: (row) => row.name.toLowerCase() },
  state: { title: "State", text: (row) => stateOf(row), key: (row) => ORDER.indexOf(row.state) },
  licence: { title: "Licence", text: (row) => licenceOf(row), key: (row) => `${USES.indexOf(row.commercial)} ${row.licence}` },
  size: { title: "Size", text: (row) => sizeOf(row.size), key: (row) => row.size, end: true },
  quality: { title: "Quality", text: (row) => row.qualities.join(", "), key: (row) => rungOf(row) },
  psnr: { title: "PSNR", text: (row) => (row.psnr === null ? "" : `${row.psnr.toFixed(2)} dB`), key: (row) => row.psnr, end: true },
  seconds: { title: "Time", text: (row) => (row.seconds === null ? "" : `${row.seconds} s`), key: (row) => row.seconds, end: true },
  suits: { title: "Good for", text: (row) => row.suits || row.network, key: (row) => row.suits || row.network },
};

/** What each column means, for its tooltip. */
export const MEANINGS = {
  quality: "The rungs of the quality ladder that use this model if model is auto.",
  psnr: "Mean over the 50 triplets of the README; empty if not measured. 0.5 dB is visible.",
  seconds: "Seconds per new frame of 448x256 on one CPU thread; empty if not measured.",
};

export const stateOf = (row) => STATES[row.state];

/** Whether a model can run at once. */
export const isReady = (row) => row.choice !== null && ["built in", "on disk"].includes(row.state);

/** Whether an entry of the combo means this model, as it was listed when the workflow was saved: "rife-4.25 (download)". */
export const isMeant = (row, entry = "") => [row.choice, row.name].includes(entry) || entry.startsWith(`${row.name} (`);

/** Whether its licence must be seen before it is chosen. */
export const isRestricted = (row) => row.commercial !== true && row.says !== "";

export function licenceOf(row) {
  const name = row.licence.replace("LicenseRef-", "");
  if (row.commercial === false) return `${name}, non-commercial`;
  return name || (row.says ? "not known" : "");
}

/** A number of bytes for a person: 687.6 kB, 22.7 MB. */
export function sizeOf(bytes) {
  if (bytes === null) return "";
  const units = ["bytes", "kB", "MB", "GB"];
  let [size, unit] = [bytes, 0];
  while (size >= 999.95 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${unit ? size.toFixed(1) : size} ${units[unit]}`;
}

function rungOf(row) {
  const rungs = row.qualities.map((quality) => LADDER.indexOf(quality));
  return rungs.length ? Math.max(...rungs) : null;
}

/** All words of a row that a search finds. */
const textOf = (row) =>
  [row.name, row.file, row.folder, stateOf(row), licenceOf(row), row.network, row.suits, ...row.qualities].join("\n").toLowerCase();

/**
 * The rows that a view shows, in its order.
 * @param {Row[]} rows @param {View} view @returns {Row[]}
 */
export function shown(rows, view) {
  const words = view.words.toLowerCase().split(/\s+/).filter(Boolean);
  const found = rows.filter((row) => {
    if ((view.ready && !isReady(row)) || (view.commercial && row.commercial === false)) return false;
    const text = textOf(row);
    return words.every((word) => text.includes(word));
  });
  if (!view.column) return found;
  const { key } = COLUMNS[view.column];
  const empty = (value) => value === null || value === "";
  const compare = (one, other) => {
    const [a, b] = [key(one), key(other)];
    if (empty(a) || empty(b)) return empty(a) - empty(b);
    const order = typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
    return view.down ? -order : order;
  };
  return [...found].sort(compare);
}
