/**
 * The document that is edited, and how it is looked at.
 *
 * A gesture drafts documents as it goes and commits one at its end: only what is committed leaves the editor, so that one
 * gesture is one step of whoever keeps the history. How the document is looked at (the tool, what is selected, the zoom) is no part
 * of it and is never saved.
 *
 * @typedef {import("../track_math.js").Document} Document
 *
 * @typedef {object} Look
 * @property {"select"|"pen"|"freehand"|"anchor"|"pan"} tool
 * @property {string|null} active  the track whose properties are shown
 * @property {Set<string>} keys  the points that are selected, by their names of `edits.js`
 * @property {string|null} pen  the track that the pen goes on with
 * @property {number} zoom  1 shows the whole picture
 * @property {[number, number]} centre  what lies in the middle of the stage, as a fraction of the picture
 * @property {number} mix  0 shows the first frame, 1 the last
 * @property {number|null} held  the mix for as long as something is in hand
 * @property {"mix"|"blink"|"difference"} mode
 * @property {boolean} follow  whether the frame of the point in hand is shown
 * @property {boolean} snap
 * @property {boolean} listed  whether the list of tracks is shown
 * @property {number} time  0 to 1, where the play head is
 * @property {boolean} playing
 * @property {{left: number, top: number, right: number, bottom: number}|null} marquee  in pixels of the picture
 * @property {[number, number][]|null} stroke  what is being drawn, in pixels of the picture
 */

import { present, trackOf } from "./edits.js";

/** How a document is looked at in the beginning. @returns {Look} */
export const firstLook = () => ({
  tool: "select",
  active: null,
  keys: new Set(),
  pen: null,
  zoom: 1,
  centre: [0.5, 0.5],
  mix: 0.5,
  held: null,
  mode: "mix",
  follow: true,
  snap: true,
  listed: true,
  time: 0,
  playing: false,
  marquee: null,
  stroke: null,
});

export class Store {
  /** @type {Set<() => void>} */
  #watchers = new Set();
  #committed;
  #due = false;

  /**
   * @param {Document} doc
   * @param {(doc: Document) => void} save  is given each document that is committed
   */
  constructor(doc, save) {
    this.doc = this.#committed = doc;
    this.save = save;
    this.look = firstLook();
  }

  /** The document as it was last committed or loaded. */
  get committed() {
    return this.#committed;
  }

  /** Show a document, for now. @param {Document} doc */
  draft(doc) {
    this.doc = doc;
    this.#changed();
  }

  /** Keep a document. Nothing is saved where it is the one that was kept before. @param {Document} doc */
  commit(doc = this.doc) {
    const news = doc !== this.#committed;
    this.doc = this.#committed = doc;
    this.#settle();
    if (news) this.save(doc);
  }

  /** Forget what was drafted. */
  cancel() {
    this.doc = this.#committed;
    this.#settle();
  }

  /** Take a document from outside, which is not saved again. @param {Document} doc */
  load(doc) {
    this.doc = this.#committed = doc;
    this.#settle();
  }

  /** Look otherwise. @param {Partial<Look>} change */
  see(change) {
    Object.assign(this.look, change);
    this.#changed();
  }

  /** Call `watcher` after changes, at most once a frame of the screen. @param {() => void} watcher */
  watch(watcher) {
    this.#watchers.add(watcher);
    watcher();
  }

  #settle() {
    const { look, doc } = this;
    look.keys = present(doc, look.keys);
    if (look.active && !trackOf(doc, look.active)) look.active = null;
    if (look.pen && !trackOf(doc, look.pen)) look.pen = null;
    this.#changed();
  }

  #changed() {
    if (this.#due) return;
    this.#due = true;
    requestAnimationFrame(() => {
      this.#due = false;
      for (const watcher of this.#watchers) watcher();
    });
  }
}
