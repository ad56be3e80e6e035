/**
 * Draws the document over the pictures: curves, points, output frames, handles, matches and the playhead.
 *
 * Owns the mapping from picture pixels to the screen. Draws the content of the store and changes nothing.
 *
 * @typedef {import("./store.js").Store} Store
 * @typedef {{scale: number, x: number, y: number}} Lens  a place p in the picture is drawn at (p + 0.5) * scale + (x, y)
 */

import { along, instants, pathData, segments, visible } from "../track_math.js";
import { s, set } from "./dom.js";
import { boundsOf, keyOf } from "./edits.js";
import { handled } from "./hits.js";
import { word } from "../words.js";

const MARGIN = 12;
const TICKS = 121;
const BOX = 14;

export class Stage {
  /** @type {Lens} */
  lens = { scale: 1, x: 0, y: 0 };

  /**
   * @param {Store} store
   * @param {import("./pictures.js").Pictures} pictures
   * @param {import("./scene.js").Scene} scene
   */
  constructor(store, pictures, scene) {
    Object.assign(this, { store, pictures, scene });
    this.curves = s("g", { class: "curves" });
    this.matches = s("g", { class: "matches" });
    this.marks = s("g", { class: "marks" });
    this.element = s(
      "svg",
      { class: "stage", "data-testid": "stage", role: "img", "aria-label": word("The picture and its tracks") },
      pictures.element,
      this.matches,
      this.curves,
      this.marks,
    );
    new ResizeObserver(() => this.render()).observe(this.element);
    store.watch(() => this.render());
  }

  /** The place on the stage of a place in the picture. */
  shown([x, y]) {
    const { scale, x: left, y: top } = this.lens;
    return [(x + 0.5) * scale + left, (y + 0.5) * scale + top];
  }

  /** The place in the picture at a place in the window, and the size of a window pixel in picture pixels. */
  at(clientX, clientY) {
    const matrix = this.element.getScreenCTM();
    if (!matrix) return { place: [0, 0], pixel: 1 };
    const point = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
    const { scale, x, y } = this.lens;
    return { place: [(point.x - x) / scale - 0.5, (point.y - y) / scale - 0.5], pixel: 1 / (scale * matrix.a) };
  }

  render() {
    const { store, scene, pictures } = this;
    const { doc, look } = store;
    this.lens = lensOf(look, doc.size, this.element.clientWidth, this.element.clientHeight);
    const { scale, x, y } = this.lens;
    const transform = `translate(${x} ${y}) scale(${scale})`;
    pictures.show(look, doc.size, transform);
    set(this.curves, { transform: `${transform} translate(0.5 0.5)` });
    const tracks = doc.tracks.filter((track) => track.on).sort((a, b) => (a.id === look.active) - (b.id === look.active));
    const moving = tracks.filter((track) => track.pts.length > 1);
    this.curves.replaceChildren(...tracks.flatMap((track) => this.#curve(track)), ...this.#stroke());
    this.marks.replaceChildren(
      ...moving.flatMap((track) => this.#ticks(track)),
      ...tracks.flatMap((track) => this.#points(track)),
      ...this.#handles(),
      ...this.#box(),
      ...this.#marquee(),
      ...(look.playing || look.time > 0 ? moving.map((track) => this.#head(track)) : []),
    );
    this.#showMatches(look.snap ? scene.matches : [], look.held ?? look.mix);
    this.element.dataset.tool = look.tool;
  }

  #curve(track) {
    const d = pathData(track);
    const active = track.id === this.store.look.active;
    return [
      s("path", { d, class: "halo" }),
      s("path", { d, class: active ? "curve active" : "curve", stroke: track.color, "data-testid": `curve-${track.id}` }),
    ];
  }

  #stroke() {
    const { stroke } = this.store.look;
    return stroke ? [s("polyline", { points: stroke.join(" "), class: "stroke" })] : [];
  }

  #ticks(track) {
    const at = along(track);
    const times = instants(Math.min(this.scene.frames, TICKS));
    return [true, false].flatMap((seen) => {
      const d = times.filter((t) => visible(track, t) === seen).map((t) => `M${this.shown(at(t)).join(" ")}h0`).join("");
      const unseen = seen ? "" : " unseen";
      return d ? [s("path", { d, class: `tick under${unseen}` }), s("path", { d, class: `tick${unseen}` })] : [];
    });
  }

  #points(track) {
    const { keys, active } = this.store.look;
    const last = track.pts.length - 1;
    return track.pts.map((point, index) => {
      const [x, y] = this.shown(point);
      const chosen = keys.has(keyOf(track.id, index));
      const kind = last === 0 ? "anchor" : index === 0 ? "start" : index === last ? "end" : "middle";
      const turn = kind === "end" ? ` rotate(${heading(track)})` : "";
      return s(
        "g",
        {
          class: `point ${kind}${chosen ? " chosen" : ""}${track.id === active ? " active" : ""}`,
          transform: `translate(${x} ${y})${turn}`,
          "data-testid": `point-${track.id}-${index}`,
        },
        s("path", { d: SHAPES[kind], fill: track.color }),
      );
    });
  }

  #handles() {
    const shown = handled(this.store.doc, this.store.look);
    if (!shown) return [];
    const [x, y] = shown.track.pts[shown.index];
    const [x1, y1] = this.shown([x, y]);
    return ["in", "out"]
      .filter((side) => shown[side])
      .flatMap((side) => {
        const [x2, y2] = this.shown([x + shown[side][0], y + shown[side][1]]);
        const own = shown.track.pts[shown.index][side === "in" ? 3 : 5] !== null;
        return [
          s("line", { x1, y1, x2, y2, class: "arm" }),
          s("circle", { cx: x2, cy: y2, r: 4, class: own ? "handle own" : "handle", "data-testid": `handle-${side}` }),
        ];
      });
  }

  #box() {
    const { doc, look } = this.store;
    const bounds = look.tool === "select" && look.keys.size > 1 && !look.marquee ? boundsOf(doc, look.keys) : null;
    if (!bounds) return [];
    const [left, top] = this.shown([bounds.left, bounds.top]).map((value) => value - BOX);
    const [right, bottom] = this.shown([bounds.right, bounds.bottom]).map((value) => value + BOX);
    const grip = (name, cx, cy, label) =>
      s("g", { class: `grip ${name}`, "data-grip": name, "data-testid": `grip-${name}`, transform: `translate(${cx} ${cy})` },
        s("circle", { r: 11, class: "reach" }),
        name === "turn" ? s("circle", { r: 4.5 }) : s("rect", { x: -4, y: -4, width: 8, height: 8, rx: 1.5 }),
        s("title", {}, label),
      );
    const middle = (left + right) / 2;
    const scale = word("Scale the selection (Shift: width and height separately)");
    return [
      s("rect", { x: left, y: top, width: right - left, height: bottom - top, class: "box" }),
      s("line", { x1: middle, y1: top, x2: middle, y2: top - 18, class: "arm" }),
      grip("nw", left, top, scale),
      grip("ne", right, top, scale),
      grip("se", right, bottom, scale),
      grip("sw", left, bottom, scale),
      grip("turn", middle, top - 18, word("Rotate the selection (Shift: in steps of 15 degrees)")),
    ];
  }

  #marquee() {
    const { marquee } = this.store.look;
    if (!marquee) return [];
    const [x, y] = this.shown([marquee.left, marquee.top]);
    const [right, bottom] = this.shown([marquee.right, marquee.bottom]);
    return [s("rect", { x, y, width: right - x, height: bottom - y, class: "marquee" })];
  }

  /** There may be thousands of matches, so they are redrawn only when they or the view of them change. */
  #showMatches(matches, mix) {
    const shown = JSON.stringify([this.lens, mix]);
    if (matches === this.matched && (shown === this.matchedAs || !matches.length)) return;
    [this.matched, this.matchedAs] = [matches, shown];
    const ends = matches.map((match) => [...this.shown(match.slice(0, 2)), ...this.shown(match.slice(2, 4))]);
    const path = (part, opacity) => s("path", { d: ends.map(part).join(""), class: "match", opacity });
    const parts = [
      path(([x, y, toX, toY]) => `M${x} ${y}L${toX} ${toY}`, 0.3),
      path(([x, y]) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`, 1 - 0.6 * mix),
      path(([, , x, y]) => `M${x - 3.5} ${y - 3.5}h7v7h-7z`, 0.4 + 0.6 * mix),
    ];
    this.matches.replaceChildren(...parts);
  }

  #head(track) {
    const { time } = this.store.look;
    const [cx, cy] = this.shown(along(track)(time));
    const seen = visible(track, time) ? "" : " unseen";
    return s("circle", { cx, cy, r: 8.5, class: `head${seen}`, "data-testid": `head-${track.id}` });
  }
}

const SHAPES = {
  start: "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0 -11 0z",
  middle: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
  end: "M-5 -6.5L8 0L-5 6.5L-2.5 0z",
  anchor: "M-2 -7h4v5h5v4h-5v5h-4v-5h-5v-4h5z",
};

/** The direction of a track at its end, in degrees. */
function heading(track) {
  const [start, out, into, end] = segments(track).at(-1);
  const from = [into, out, start].find((place) => Math.hypot(end[0] - place[0], end[1] - place[1]) > 1e-6) ?? start;
  return (Math.atan2(end[1] - from[1], end[0] - from[0]) * 180) / Math.PI;
}

/**
 * The lens for a picture of `size` on a stage of width x height.
 * @param {import("./store.js").Look} look
 * @param {[number, number]} size
 * @returns {Lens}
 */
export function lensOf(look, [w, h], width, height) {
  const fit = Math.max(Math.min((width - 2 * MARGIN) / w, (height - 2 * MARGIN) / h), 1e-3);
  const scale = fit * look.zoom;
  return { scale, x: width / 2 - look.centre[0] * w * scale, y: height / 2 - look.centre[1] * h * scale };
}

/**
 * The look zoomed by `factor`, with the picture at `place` staying where it is.
 * @param {import("./store.js").Look} look
 * @param {[number, number]} size
 * @param {number} factor
 * @param {[number, number]} [place]
 */
export function zoomed(look, [w, h], factor, place) {
  const zoom = Math.min(Math.max(look.zoom * factor, 0.25), 40);
  const [px, py] = place ? [(place[0] + 0.5) / w, (place[1] + 0.5) / h] : look.centre;
  const share = look.zoom / zoom;
  return { zoom, centre: [px + (look.centre[0] - px) * share, py + (look.centre[1] - py) * share] };
}
