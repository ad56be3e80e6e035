/** Draws two pictures over each other: divided, as their difference, one of them, or side by side. Zoomed and moved as one. */

import { h, set } from "../track_view/dom.js";

/**
 * @typedef {object} Look
 * @property {"wipe"|"difference"|"flicker"|"side"} mode
 * @property {number} gain  of the difference: a power of 2
 * @property {number} split  place of the divider, 0 to 1 of the stage
 * @property {number} turn  the picture that flicker shows: 0 or 1
 * @property {number} zoom  1 fits the picture
 * @property {[number, number]} centre  the place in the picture, 0 to 1, that is in the middle of the stage
 */

/** @type {() => Look} */
export const firstLook = () => ({ mode: "wipe", gain: 4, split: 0.5, turn: 0, zoom: 1, centre: [0.5, 0.5] });

const SHARPEST = 3;
const CRISP = 2;

export class Stage {
  #images = null;
  #scratch = document.createElement("canvas");
  #made = [];

  constructor() {
    this.canvas = h("canvas", { class: "canvas", "data-testid": "compare-canvas" });
    this.divider = h(
      "div",
      { class: "divider", role: "slider", tabindex: 0, "aria-label": "Divider", "aria-valuemin": 0, "aria-valuemax": 100, "data-testid": "divider" },
    );
    this.tags = ["a", "b"].map((name) => h("span", { class: `tag ${name}`, "aria-hidden": "true" }, name));
    this.element = h("div", { class: "stage" }, this.canvas, ...this.tags, this.divider);
  }

  /** The width and height at which pictures are compared: those of the larger. @returns {[number, number]} */
  get size() {
    if (!this.#images) return [16, 9];
    const [one, other] = this.#images.map(({ naturalWidth, naturalHeight }) => [naturalWidth, naturalHeight]);
    return one[0] * one[1] >= other[0] * other[1] ? one : other;
  }

  /** Show these pictures, or none. @param {HTMLImageElement[]|null} images @param {Look} look */
  draw(images, look) {
    this.#images = images;
    const { canvas } = this;
    const [wide, high] = [canvas.clientWidth, canvas.clientHeight];
    const seen = wide ? canvas.getBoundingClientRect().width / wide : 1;
    const sharp = Math.min(Math.max(seen * devicePixelRatio, 1), SHARPEST);
    const size = [Math.round(wide * sharp), Math.round(high * sharp)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, ...size);
    this.#label(look, images !== null);
    if (!images || !wide || !high) return;
    const [one, other] = images;
    const all = [0, 0, ...size];
    const split = Math.round(look.split * size[0]);
    if (look.mode === "wipe") {
      this.#one(context, one, [0, 0, split, size[1]], all, look);
      this.#one(context, other, [split, 0, size[0] - split, size[1]], all, look);
    } else if (look.mode === "side") {
      const half = Math.round(size[0] / 2);
      const gap = Math.round(sharp);
      [one, other].forEach((image, side) => {
        const area = [side * half + side * gap, 0, half - gap, size[1]];
        this.#one(context, image, area, area, look);
      });
    } else if (look.mode === "flicker") this.#one(context, images[look.turn], all, all, look);
    else this.#one(context, this.#difference(one, other, look), all, all, look);
  }

  /** The part of the stage, in its own pixels, that shows one whole picture. @returns {{left: number, top: number, scale: number}} */
  place([x, y, wide, high], look) {
    const [w, h] = this.size;
    const scale = Math.min(wide / w, high / h) * look.zoom;
    return { left: x + wide / 2 - look.centre[0] * w * scale, top: y + high / 2 - look.centre[1] * h * scale, scale };
  }

  /** The place in the picture, in its pixels, under a point of the screen, and the pixels of the screen per pixel of it. */
  under(clientX, clientY, look) {
    const box = this.canvas.getBoundingClientRect();
    const half = look.mode === "side" && clientX > box.left + box.width / 2;
    const width = look.mode === "side" ? box.width / 2 : box.width;
    const { left, top, scale } = this.place([box.left + (half ? width : 0), box.top, width, box.height], look);
    return { x: (clientX - left) / scale, y: (clientY - top) / scale, scale };
  }

  #one(context, image, clip, area, look) {
    const { left, top, scale } = this.place(area, look);
    const [w, h] = this.size;
    context.save();
    context.beginPath();
    context.rect(...clip);
    context.clip();
    context.imageSmoothingEnabled = scale * (w / (image.naturalWidth ?? image.width)) < CRISP;
    context.imageSmoothingQuality = "high";
    context.drawImage(image, left, top, w * scale, h * scale);
    context.restore();
  }

  /**
   * The absolute difference, doubled as often as its gain asks. It is made at the size of the pictures: equal pixels stay equal only
   * if neither is scaled.
   */
  #difference(one, other, { gain }) {
    const made = [one, other, gain];
    if (made.every((part, index) => part === this.#made[index])) return this.#scratch;
    this.#made = made;
    const scratch = this.#scratch;
    [scratch.width, scratch.height] = this.size;
    const context = scratch.getContext("2d");
    context.drawImage(one, 0, 0, ...this.size);
    context.globalCompositeOperation = "difference";
    context.drawImage(other, 0, 0, ...this.size);
    context.globalCompositeOperation = "lighter";
    for (let done = 1; done < gain; done *= 2) context.drawImage(scratch, 0, 0);
    return scratch;
  }

  #label(look, any) {
    const [a, b] = this.tags;
    a.hidden = !any || look.mode === "difference" || (look.mode === "flicker" && look.turn !== 0);
    b.hidden = !any || look.mode === "difference" || (look.mode === "flicker" && look.turn !== 1);
    this.element.dataset.mode = look.mode;
    const percent = Math.round(look.split * 100);
    this.divider.hidden = !any || look.mode !== "wipe";
    this.divider.style.left = `${look.split * 100}%`;
    set(this.divider, { "aria-valuenow": percent, "aria-valuetext": `${percent} % shows a` });
  }
}
