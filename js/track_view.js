/**
 * The track editor: draws and edits a document of tracks over the first and the last frame of a clip.
 *
 * Assembles the parts of `track_view/`. Knows nothing of ComfyUI: it takes a document's text and the URLs of pictures, and
 * reports each committed change.
 */

import { blank, parse, scaled, stringify } from "./track_math.js";
import { Actions } from "./track_view/actions.js";
import { captions } from "./track_view/captions.js";
import { h, styled } from "./track_view/dom.js";
import { Gestures } from "./track_view/gestures.js";
import { listenToKeys } from "./track_view/keys.js";
import { panel } from "./track_view/panel.js";
import { Pictures } from "./track_view/pictures.js";
import { emptyScene } from "./track_view/scene.js";
import { Stage } from "./track_view/stage.js";
import { firstLook, Store } from "./track_view/store.js";
import { timeline } from "./track_view/timeline.js";
import { toolbar } from "./track_view/toolbar.js";
import { word } from "./words.js";

const SIZE = [832, 480];
const SAID = 5000;
const STYLE = new URL("./track_view.css", import.meta.url).href;

export class TrackView {
  #text = "";
  #silence = 0;
  #found = { matches: [], size: SIZE };

  /**
   * @param {(text: string) => void} save  called with the document's text after each gesture that changed it
   * @param {(name: "first"|"last", file: File|null) => void} choose  called with a file to show, or null to remove it
   */
  constructor(save, choose) {
    styled(STYLE);
    this.scene = emptyScene();
    this.store = new Store(blank(SIZE), (doc) => {
      this.#text = stringify(doc);
      save(this.#text);
    });
    const { store, scene } = this;
    this.note = h("p", { class: "note", role: "status", hidden: true });
    this.hint = h("p", { class: "hint" }, word("Connect images to first and last, paste or drop one, or set width and height."));
    this.element = h("div", {
      class: "inbetween-tracks", tabindex: 0, role: "application", "aria-label": word("Track editor"), "data-capture-wheel": "true",
    });
    this.pictures = new Pictures((size) => this.resize(size));
    this.actions = new Actions(store, scene, (message) => this.say(message));
    this.stage = new Stage(store, this.pictures, scene);
    const gestures = new Gestures(store, this.stage, scene);
    this.element.append(
      toolbar(store, this.actions, this.pictures, this.element),
      h(
        "div",
        { class: "middle" },
        h("div", { class: "ground" }, this.stage.element, this.hint, this.note),
        panel(store, this.actions),
      ),
      captions(store, this.pictures, choose),
      timeline(store, this.actions, scene),
    );
    listenToKeys(this.element, store, gestures, this.actions);
    this.#keepToItself();
    this.#takeFiles(choose);
    store.watch(() => {
      this.hint.hidden = this.pictures.any || store.doc.tracks.length > 0;
    });
  }

  /** The document's text as last saved or set. */
  get value() {
    return this.#text;
  }

  /** Take a document's text from outside. Text that cannot be parsed is kept until something is drawn. */
  set value(text) {
    if (text === this.#text) return;
    this.#text = text;
    const { size } = this.store.doc;
    try {
      const doc = text.trim() ? parse(text) : blank(size);
      this.store.load(this.pictures.any ? scaled(doc, size) : doc);
    } catch (error) {
      this.store.load(blank(size));
      this.say(word("Cannot show these tracks: {why}", { why: error.message }));
    }
  }

  /** Draw on pictures of this size. The tracks are scaled with the picture, and saved at their next change. */
  resize(size) {
    const { doc } = this.store;
    if (size[0] === doc.size[0] && size[1] === doc.size[1]) return;
    this.store.load(scaled(doc, size));
    this.#placeMatches();
  }

  /**
   * Show these pictures under the tracks.
   * @param {{first: import("./track_view/pictures.js").Source, last: import("./track_view/pictures.js").Source}} sources
   */
  show(sources) {
    if (this.pictures.load(sources)) this.store.see({});
  }

  /**
   * The number of output frames.
   * @param {number} frames
   */
  set frames(frames) {
    if (frames === this.scene.frames || !(frames >= 2)) return;
    this.scene.frames = frames;
    this.store.see({});
  }

  /**
   * The points that track ends snap to: x, y on the first frame and x, y on the last, in pixels of a picture of that size.
   * @param {[number, number, number, number][]} matches
   * @param {[number, number]} size
   */
  setMatches(matches, size) {
    this.#found = { matches, size };
    this.#placeMatches();
  }

  #placeMatches() {
    const { matches, size } = this.#found;
    const scale = [0, 1].map((axis) => this.store.doc.size[axis] / size[axis]);
    this.scene.matches = matches.map((match) => match.map((value, index) => (value + 0.5) * scale[index % 2] - 0.5));
    this.store.see({});
  }

  /** The look of the document, for handing to another view of it. */
  get look() {
    return this.store.look;
  }

  set look(look) {
    this.store.see({ ...firstLook(), ...look, held: null, marquee: null, stroke: null, playing: false });
    this.store.load(this.store.doc);
  }

  /** Show a message for a few seconds. */
  say(message) {
    clearTimeout(this.#silence);
    this.note.textContent = message;
    this.note.hidden = false;
    this.#silence = setTimeout(() => (this.note.hidden = true), SAID);
  }

  /** Take pasted and dropped files, for the frame that lacks a picture, else for the one that is shown more. */
  #takeFiles(choose) {
    const { element, pictures, store } = this;
    const take = (event, data) => {
      const file = data?.files?.[0];
      if (!file) return;
      event.stopImmediatePropagation();
      event.preventDefault();
      const { first, last } = pictures.sources;
      const shown = store.look.mix < 0.5 ? "first" : "last";
      choose(first.url ? (last.url ? shown : "last") : "first", file);
    };
    element.addEventListener("paste", (event) => take(event, event.clipboardData), { capture: true });
    element.addEventListener("drop", (event) => take(event, event.dataTransfer));
    element.addEventListener("dragover", (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.stopPropagation();
      event.preventDefault();
    });
  }

  /** Keep pointer, menu and clipboard events from the graph, which would otherwise pan, or copy its nodes. */
  #keepToItself() {
    const { element, actions } = this;
    const typing = (event) => event.target.matches?.("input, select");
    element.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      if (!typing(event) && !event.target.closest("button")) element.focus({ preventScroll: true });
    });
    for (const name of ["pointermove", "pointerup", "mousedown", "dblclick", "dragstart"]) {
      element.addEventListener(name, (event) => event.stopPropagation());
    }
    element.addEventListener("contextmenu", (event) => {
      event.stopPropagation();
      event.preventDefault();
    });
    element.addEventListener("change", (event) => event.target.matches("input[type=range]") && element.focus());
    const clipped = (handle) => (event) => {
      if (typing(event)) return;
      event.stopPropagation();
      event.preventDefault();
      handle(event.clipboardData);
    };
    element.addEventListener("copy", clipped((clipboard) => clipboard.setData("text/plain", actions.copied())));
    element.addEventListener("cut", clipped((clipboard) => {
      clipboard.setData("text/plain", actions.copied());
      actions.remove();
    }));
    element.addEventListener("paste", clipped((clipboard) => actions.pasteText(clipboard.getData("text/plain"))));
  }
}
