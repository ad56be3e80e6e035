/** The first and the last frame overlaid: mixed, blinking in turn, or as their difference. */

import { s, set } from "./dom.js";

const BLINK = 600;

/**
 * @typedef {object} Source  what is shown for one of the two frames
 * @property {string|null} url  null for nothing
 * @property {string} text  which picture that is
 * @property {boolean} [stale]  whether the graph has changed since it was made
 * @property {boolean} [chosen]  whether it was chosen in the editor
 * @property {boolean} [cropped]  whether it covers the canvas instead of giving it its size
 */

const NOTHING = { url: null, text: "" };

export class Pictures {
  /** @type {{first: Source, last: Source}} */
  sources = { first: NOTHING, last: NOTHING };
  #turn = 0;
  #timer = 0;

  /** @param {(size: [number, number]) => void} sized  called with the size of the first available picture once it is known */
  constructor(sized) {
    this.sized = sized;
    this.ground = s("rect", { class: "ground", x: 0, y: 0 });
    const layer = (name) => s("image", { class: `picture ${name}`, preserveAspectRatio: "none", "data-testid": name });
    this.first = layer("first");
    this.last = layer("last");
    this.element = s("g", { class: "pictures" }, this.ground, this.first, this.last);
  }

  get #urls() {
    return { first: this.sources.first.url, last: this.sources.last.url };
  }

  /** Whether at least one of the two is present. */
  get any() {
    return Boolean(this.#urls.first || this.#urls.last);
  }

  /** Whether both are present. */
  get both() {
    return Boolean(this.#urls.first && this.#urls.last);
  }

  /** The address of the picture that gives the canvas its size, or null: a chosen one only if there is no other. */
  get measure() {
    const sized = [this.sources.first, this.sources.last].filter(({ url, cropped }) => url && !cropped);
    return (sized.find(({ chosen }) => !chosen) ?? sized[0])?.url ?? null;
  }

  /**
   * Show these pictures.
   * @param {{first: Source, last: Source}} sources
   * @returns {boolean} whether they changed
   */
  load(sources) {
    if (JSON.stringify(sources) === JSON.stringify(this.sources)) return false;
    const before = this.measure;
    this.sources = sources;
    for (const name of ["first", "last"]) {
      const { url, cropped } = sources[name];
      set(this[name], { href: url, preserveAspectRatio: cropped ? "xMidYMid slice" : "none" });
    }
    const { measure } = this;
    if (measure && measure !== before) {
      const image = new Image();
      image.onload = () => {
        if (this.measure === measure) this.sized([image.naturalWidth, image.naturalHeight]);
      };
      image.src = measure;
    }
    return true;
  }

  /** @param {import("./store.js").Look} look @param {[number, number]} size @param {string} transform */
  show(look, [width, height], transform) {
    const mode = this.both ? look.mode : "mix";
    this.#blink(mode === "blink" && look.held === null);
    const mix = look.held ?? (mode === "blink" ? this.#turn : look.mix);
    set(this.element, { transform });
    for (const part of [this.ground, this.first, this.last]) set(part, { width, height });
    const difference = mode === "difference" && look.held === null;
    this.first.style.display = this.#urls.first ? "" : "none";
    this.last.style.display = this.#urls.last ? "" : "none";
    this.last.style.mixBlendMode = difference ? "difference" : "normal";
    this.last.style.opacity = difference || !this.#urls.first ? 1 : mix;
  }

  #blink(on) {
    if (on === Boolean(this.#timer)) return;
    if (!on) {
      clearInterval(this.#timer);
      this.#timer = 0;
      return;
    }
    this.#timer = setInterval(() => {
      this.#turn = 1 - this.#turn;
      this.last.style.opacity = this.#turn;
      if (!this.element.isConnected) this.#blink(false);
    }, BLINK);
  }
}
