/**
 * The actions of buttons and keys: each is one change of the document or of its look.
 */

import { checked, instants, reversed, scaled, stringify } from "../track_math.js";
import { documentOf } from "./coordinates.js";
import { changed, keyOf, keysOf, moved, paced, parted, touched, trackOf, withCopies, withoutPoints, withoutTracks } from "./edits.js";
import { word } from "../words.js";

const MODES = ["mix", "blink", "difference"];
const AWAY = 0.03;

/** The last copied text, for browsers that block access to their clipboard. */
let scrap = "";

export class Actions {
  /**
   * @param {import("./store.js").Store} store
   * @param {import("./scene.js").Scene} scene
   * @param {(message: string) => void} say
   */
  constructor(store, scene, say) {
    Object.assign(this, { store, scene, say });
  }

  /** The tracks that actions apply to: those with points selected, else the active one. */
  get chosen() {
    const { doc, look } = this.store;
    const tracks = touched(doc, look.keys);
    const active = trackOf(doc, look.active);
    return tracks.length ? tracks : active ? [active] : [];
  }

  /** @param {import("./store.js").Look["tool"]} tool */
  choose(tool) {
    this.store.see({ tool, pen: null, held: null });
  }

  endPen() {
    this.store.see({ pen: null, held: null });
  }

  /** Remove the selected points, or the active track if none are selected. */
  remove() {
    const { doc, look } = this.store;
    if (look.keys.size) this.store.commit(withoutPoints(doc, look.keys));
    else if (look.active) this.store.commit(withoutTracks(doc, new Set([look.active])));
    this.store.see({ keys: new Set() });
  }

  duplicate() {
    const step = AWAY * Math.min(...this.store.doc.size);
    this.#addCopies(this.chosen, [step, step]);
  }

  /** The `chosen` tracks as the text of a document, or all tracks if there are none. */
  copied() {
    const { doc } = this.store;
    const tracks = this.chosen;
    scrap = stringify({ ...doc, tracks: tracks.length ? tracks : doc.tracks });
    return scrap;
  }

  async copy() {
    const text = this.copied();
    await navigator.clipboard?.writeText(text).catch(() => this.say(word("Clipboard blocked: copied only within this page.")));
  }

  async paste() {
    const text = await navigator.clipboard?.readText().catch(() => scrap);
    this.pasteText(text || scrap);
  }

  /** Add the tracks of a document's text, scaled to the size of this one, or those of coordinates in pixels of this one. */
  pasteText(text) {
    if (!text.trim()) return;
    const { doc } = this.store;
    try {
      const { tracks } = scaled(documentOf(text, doc.size), doc.size);
      const there = new Set(doc.tracks.map((track) => JSON.stringify(track.pts)));
      const over = tracks.some((track) => there.has(JSON.stringify(track.pts)));
      const step = over ? AWAY * Math.min(...doc.size) : 0;
      this.#addCopies(tracks, [step, step]);
    } catch (error) {
      this.say(word("The pasted text is not a track: {why}", { why: error.message }));
    }
  }

  #addCopies(tracks, by) {
    if (!tracks.length) return;
    const { doc, ids } = withCopies(this.store.doc, tracks, by);
    this.store.commit(doc);
    const copies = doc.tracks.filter((track) => ids.includes(track.id));
    this.store.see({ tool: "select", active: ids.at(-1), keys: new Set(keysOf(copies)) });
  }

  /** Change a track. Throws if the change is invalid. @param {string} id @param {Partial<import("../track_math.js").Track>} change */
  change(id, change) {
    this.store.commit(checked(changed(this.store.doc, id, change)));
  }

  /** Switch the `chosen` tracks on or off. */
  toggle() {
    const tracks = this.chosen;
    if (!tracks.length) return;
    const on = !tracks.every((track) => track.on);
    this.store.commit(tracks.reduce((doc, track) => changed(doc, track.id, { on }), this.store.doc));
  }

  /** Make the `chosen` tracks run backwards. The same points stay selected. */
  reverse() {
    const { doc, look } = this.store;
    const tracks = new Map(this.chosen.map((track) => [track.id, track]));
    if (!tracks.size) return;
    const keys = [...look.keys].map((key) => {
      const { id, index } = parted(key);
      return tracks.has(id) ? keyOf(id, tracks.get(id).pts.length - 1 - index) : key;
    });
    this.store.commit([...tracks.values()].reduce((made, track) => changed(made, track.id, reversed(track)), doc));
    this.store.see({ keys: new Set(keys), pen: null });
  }

  /** Let the `chosen` tracks run at one speed along their curves. */
  pace() {
    this.store.commit(this.chosen.filter(({ pts }) => pts.length > 2).reduce((doc, track) => paced(doc, track.id), this.store.doc));
  }

  /** Put a point at a place. @param {string} key @param {[number, number]} place */
  put(key, place) {
    const { id, index } = parted(key);
    const { doc } = this.store;
    const [x, y] = trackOf(doc, id).pts[index];
    this.store.commit(moved(doc, [key], { move: [place[0] - x, place[1] - y] }));
  }

  /** Select the track `by` places further down the list. */
  cycle(by) {
    const { doc, look } = this.store;
    const tracks = doc.tracks.filter((track) => track.on);
    if (!tracks.length) return;
    const at = tracks.findIndex((track) => track.id === look.active);
    this.select(tracks[(at < 0 && by < 0 ? tracks.length - 1 : at + by + tracks.length) % tracks.length].id);
  }

  /** Activate a track and select its points. */
  select(id) {
    const track = trackOf(this.store.doc, id);
    this.store.see({ active: id, pen: null, keys: new Set(track.on ? keysOf([track]) : []) });
  }

  fit() {
    this.store.see({ zoom: 1, centre: [0.5, 0.5] });
  }

  cycleMode() {
    const { look } = this.store;
    this.store.see({ mode: MODES[(MODES.indexOf(look.mode) + 1) % MODES.length] });
  }

  play() {
    const { look } = this.store;
    this.store.see({ playing: !look.playing, time: look.time >= 1 ? 0 : look.time });
  }

  /** Move by this many output frames. */
  step(by) {
    const { look } = this.store;
    const at = instants(this.scene.frames);
    const now = Math.round(look.time * (at.length - 1));
    this.store.see({ playing: false, time: at[Math.min(Math.max(now + by, 0), at.length - 1)] });
  }
}
