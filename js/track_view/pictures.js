/** The first and the last frame overlaid: mixed, blinking in turn, or as their difference. */

import { s, set } from "./dom.js";

const BLINK = 600;

export class Pictures {
  #urls = { first: null, last: null };
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

  /** Whether at least one of the two is present. */
  get any() {
    return Boolean(this.#urls.first || this.#urls.last);
  }

  /** Whether both are present. */
  get both() {
    return Boolean(this.#urls.first && this.#urls.last);
  }

  /**
   * Show these pictures; null for none.
   * @param {{first: string|null, last: string|null}} urls
   * @returns {boolean} whether they changed
   */
  load(urls) {
    if (urls.first === this.#urls.first && urls.last === this.#urls.last) return false;
    this.#urls = { first: urls.first, last: urls.last };
    for (const name of ["first", "last"]) set(this[name], { href: urls[name] });
    const shown = urls.first ?? urls.last;
    if (shown) {
      const image = new Image();
      image.onload = () => {
        if ((this.#urls.first ?? this.#urls.last) === shown) this.sized([image.naturalWidth, image.naturalHeight]);
      };
      image.src = shown;
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
