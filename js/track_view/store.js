/**
 * The edited document and its look.
 *
 * A gesture drafts documents while it runs and commits one at its end. Only committed documents leave the editor, so that one
 * gesture is one step of the undo history. The look (the tool, the selection, the zoom) is not part of the document and is
 * never saved.
 *
 * @typedef {import("../track_math.js").Document} Document
 *
 * @typedef {object} Look
 * @property {"select"|"pen"|"freehand"|"anchor"|"pan"} tool
 * @property {string|null} active  the track whose properties are shown
 * @property {Set<string>} keys  the names, as in `edits.js`, of the selected points
 * @property {string|null} pen  the track that the pen continues
 * @property {number} zoom  1 shows the whole picture
 * @property {[number, number]} centre  the centre of the stage, as a fraction of the picture
 * @property {number} mix  0 shows the first frame, 1 the last
 * @property {number|null} held  the mix while something is dragged
 * @property {"mix"|"blink"|"difference"} mode
 * @property {boolean} follow  whether the frame of the dragged point is shown
 * @property {boolean} snap
 * @property {boolean} listed  whether the list of tracks is shown
 * @property {number} time  the playhead, 0 to 1
 * @property {boolean} playing
 * @property {{left: number, top: number, right: number, bottom: number}|null} marquee  in pixels of the picture
 * @property {[number, number][]|null} stroke  the stroke being drawn, in pixels of the picture
 */

import { present, trackOf } from "./edits.js";

/** The initial look of a document. @returns {Look} */
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
   * @param {(doc: Document) => void} save  called with each committed document
   */
  constructor(doc, save) {
    this.doc = this.#committed = doc;
    this.save = save;
    this.look = firstLook();
  }

  /** The last committed or loaded document. */
  get committed() {
    return this.#committed;
  }

  /** Show a document temporarily. @param {Document} doc */
  draft(doc) {
    this.doc = doc;
    this.#changed();
  }

  /** Commit a document. It is saved only if it differs from the last committed one. @param {Document} doc */
  commit(doc = this.doc) {
    const news = doc !== this.#committed;
    this.doc = this.#committed = doc;
    this.#settle();
    if (news) this.save(doc);
  }

  /** Discard the draft. */
  cancel() {
    this.doc = this.#committed;
    this.#settle();
  }

  /** Take a document from outside, without saving it. @param {Document} doc */
  load(doc) {
    this.doc = this.#committed = doc;
    this.#settle();
  }

  /** Change the look. @param {Partial<Look>} change */
  see(change) {
    Object.assign(this.look, change);
    this.#changed();
  }

  /** Call `watcher` after changes, at most once per screen frame. @param {() => void} watcher */
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
