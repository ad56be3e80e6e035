/**
 * Turns pointer events of mouse, pen and fingers on the stage into changes of the document.
 *
 * A gesture drafts while it runs and commits once at its end. A second finger turns it into a pinch, which pans and zooms the
 * view. Escape, or losing the pointer, undoes the gesture.
 *
 * @typedef {[number, number]} Place
 * @typedef {{place: Place, pixel: number, reach: number, event: PointerEvent}} Spot  a place in the picture, the size of a
 *           window pixel in picture pixels, and the hit radius of the pointer
 * @typedef {{move?: (spot: Spot) => void, end?: (spot: Spot) => void}} Drag
 */

import { handles, newTrack, times } from "../track_math.js";
import { boundsOf, keyOf, keysOf, moved, parted, touched, trackOf, withNumbers, withoutPoints, withPoint, withTracks } from "./edits.js";
import { hitAt, matchAt } from "./hits.js";
import { zoomed } from "./stage.js";
import { fewest } from "./stroke.js";

const STILL = 3;
const REACH = { mouse: 9, pen: 12, touch: 20 };
const DOUBLE = 350;
const TURN = 15;

/** Whether a wheel event moves or zooms the graph even over an editor that has the focus. @param {WheelEvent} event */
export const forGraph = (event) => event.ctrlKey || event.metaKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);

export class Gestures {
  /** @type {Map<number, PointerEvent>} */
  #down = new Map();
  /** @type {Drag | null} */
  #drag = null;
  #began = null;
  #still = true;
  #tap = { time: 0, x: 0, y: 0 };

  /**
   * @param {import("./store.js").Store} store
   * @param {import("./stage.js").Stage} stage
   * @param {import("./scene.js").Scene} scene
   */
  constructor(store, stage, scene) {
    Object.assign(this, { store, stage, scene });
    const { element } = stage;
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#release(event));
    element.addEventListener("pointercancel", (event) => this.#lose(event));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  /** Whether a gesture is in progress. */
  get busy() {
    return this.#drag !== null;
  }

  /** Undo the gesture in progress. */
  cancel() {
    this.#drag = null;
    this.store.see({ held: null, marquee: null, stroke: null });
    this.store.cancel();
  }

  #spot(event) {
    const { place, pixel } = this.stage.at(event.clientX, event.clientY);
    return { place, pixel, reach: (REACH[event.pointerType] ?? REACH.mouse) * pixel, event };
  }

  #press(event) {
    if (event.button === 2) {
      this.#remove(event);
      return;
    }
    event.stopPropagation();
    this.#down.set(event.pointerId, event);
    this.stage.element.setPointerCapture(event.pointerId);
    if (this.#down.size === 2) {
      this.cancel();
      this.#drag = this.#pinch();
      return;
    }
    if (this.#down.size > 2) return;
    this.#began = event;
    this.#still = true;
    const spot = this.#spot(event);
    this.store.see({ playing: false });
    const grip = event.target.closest?.("[data-grip]")?.dataset.grip;
    if (event.button === 1 || this.store.look.tool === "pan") this.#drag = this.#pan(spot);
    else if (grip) this.#drag = grip === "turn" ? this.#turn(spot) : this.#scale(spot, grip);
    else this.#drag = this.#tools[this.store.look.tool](spot, this.#twice(event));
  }

  /** Remove the point under the pointer. */
  #remove(event) {
    const { store } = this;
    const { place, reach } = this.#spot(event);
    const hit = this.busy ? null : hitAt(store.doc, store.look, place, reach);
    if (hit?.kind !== "point") return;
    store.commit(withoutPoints(store.doc, new Set([keyOf(hit.id, hit.index)])));
    store.see({ keys: new Set(), active: hit.id });
  }

  #move(event) {
    const before = this.#down.get(event.pointerId);
    if (!before) {
      this.#hover(event);
      return;
    }
    event.stopPropagation();
    this.#down.set(event.pointerId, event);
    if (this.#still && this.#began) {
      this.#still = Math.hypot(event.clientX - this.#began.clientX, event.clientY - this.#began.clientY) < STILL;
      if (this.#still) return;
    }
    this.#drag?.move?.(this.#spot(event));
  }

  #release(event) {
    if (!this.#down.delete(event.pointerId)) return;
    event.stopPropagation();
    if (this.#down.size) return;
    const drag = this.#drag;
    this.#drag = null;
    this.store.see({ held: null, marquee: null, stroke: null });
    drag?.end?.(this.#spot(event));
    this.#hold();
  }

  #lose(event) {
    this.#down.delete(event.pointerId);
    this.cancel();
  }

  #twice(event) {
    const near = Math.hypot(event.clientX - this.#tap.x, event.clientY - this.#tap.y) < 3 * STILL;
    const twice = near && event.timeStamp - this.#tap.time < DOUBLE;
    this.#tap = { time: twice ? 0 : event.timeStamp, x: event.clientX, y: event.clientY };
    return twice;
  }

  #hover(event) {
    const { store } = this;
    if (store.look.tool !== "select") return;
    const spot = this.#spot(event);
    const hit = hitAt(store.doc, store.look, spot.place, spot.reach);
    this.stage.element.dataset.over = hit?.kind ?? "";
  }

  /** The wheel zooms the picture if the editor has the focus. With Ctrl or sideways it is left to the graph, as Nodes 2.0 does. */
  #wheel(event) {
    const root = this.stage.element.closest(".inbetween-tracks");
    if (!root?.contains(document.activeElement) || (forGraph(event) && document.fullscreenElement !== root)) return;
    event.preventDefault();
    event.stopPropagation();
    const { store } = this;
    const { place } = this.#spot(event);
    store.see(zoomed(store.look, store.doc.size, Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), place));
  }

  /** With the pen, show the frame that its next point belongs to. */
  #hold() {
    const { look } = this.store;
    if (look.follow && look.tool === "pen") this.store.see({ held: look.pen ? 1 : null });
  }

  /** Show the frame of a point while it is dragged. */
  #holdAt(id, index) {
    const track = trackOf(this.store.doc, id);
    if (this.store.look.follow && track.pts.length > 1) this.store.see({ held: times(track)[index] });
  }

  /** A place snapped to a matched point near it, if any. `end` 0 is on the first frame, 1 on the last. */
  #snapped(place, reach, end) {
    const match = this.store.look.snap ? matchAt(this.scene.matches, place, reach, end) : null;
    return match ? match.slice(2 * end, 2 * end + 2) : place;
  }

  /** @type {Object<string, (spot: Spot, twice: boolean) => Drag>} */
  #tools = {
    select: (spot, twice) => {
      const { store } = this;
      const hit = hitAt(store.doc, store.look, spot.place, spot.reach);
      if (!hit) return this.#frame(spot);
      store.see({ active: hit.id });
      if (hit.kind === "handle") return this.#bend(hit);
      const own = hit.kind === "point" ? [keyOf(hit.id, hit.index)] : keysOf([trackOf(store.doc, hit.id)]);
      if (twice && hit.kind === "curve") return this.#insert(hit, spot);
      if (twice && hit.kind === "point") return this.#smooth(hit);
      return this.#shift(spot, hit, own);
    },

    pen: (spot, twice) => {
      const { store } = this;
      const { look } = store;
      if (twice && look.pen) {
        store.see({ pen: null });
        return {};
      }
      const grown = look.pen ? trackOf(store.doc, look.pen) : null;
      if (grown) {
        const index = grown.pts.length;
        const put = ({ place, reach }) => store.draft(withPoint(store.committed, grown.id, index, this.#snapped(place, reach, 1)));
        put(spot);
        return {
          move: put,
          end: () => {
            store.commit();
            store.see({ keys: new Set([keyOf(grown.id, index)]) });
          },
        };
      }
      const match = look.snap ? matchAt(this.scene.matches, spot.place, spot.reach, 0) : null;
      const start = match ? match.slice(0, 2) : spot.place;
      const track = newTrack(store.doc, [[...start, null, null, null, null, null]]);
      const drawn = withTracks(store.doc, track);
      const toMatch = () => withPoint(drawn, track.id, 1, match.slice(2, 4));
      store.draft(drawn);
      store.see({ active: track.id, keys: new Set([keyOf(track.id, 0)]), held: look.follow ? 0 : null });
      return {
        move: ({ place, reach }) => {
          store.draft(withPoint(drawn, track.id, 1, this.#snapped(place, reach, 1)));
          if (look.follow) store.see({ held: 1 });
        },
        end: () => {
          store.commit(this.#still && match ? toMatch() : store.doc);
          store.see({ pen: this.#still && match ? null : track.id });
        },
      };
    },

    freehand: (spot) => {
      const { store } = this;
      const stroke = [this.#snapped(spot.place, spot.reach, 0)];
      store.see({ stroke });
      return {
        move: ({ place }) => {
          stroke.push(place);
          store.see({ stroke: [...stroke] });
        },
        end: ({ pixel, reach }) => {
          stroke.push(this.#snapped(stroke.pop(), reach, 1));
          if (!this.#still) this.#add(fewest(stroke, STILL * pixel));
        },
      };
    },

    anchor: (spot) => {
      const { store } = this;
      const doc = store.doc;
      const put = ({ place, reach }) => {
        const track = newTrack(doc, [this.#snapped(place, reach, 0)]);
        const named = { ...track, name: `Anchor ${track.id}` };
        store.draft(withTracks(doc, named));
        store.see({ active: named.id });
      };
      put(spot);
      return {
        move: put,
        end: () => {
          store.commit();
          store.see({ keys: new Set([keyOf(store.look.active, 0)]) });
        },
      };
    },
  };

  /** Add a track through these places and activate it. */
  #add(places) {
    const { store } = this;
    const track = newTrack(store.doc, places);
    store.commit(withTracks(store.doc, track));
    store.see({ active: track.id, keys: new Set() });
  }

  /** Move the selection, or select what was hit. */
  #shift(spot, hit, own) {
    const { store } = this;
    const { keys } = store.look;
    const held = own.every((key) => keys.has(key));
    const add = spot.event.shiftKey;
    if (!held) store.see({ keys: new Set(add ? [...keys, ...own] : own) });
    const doc = store.doc;
    const track = trackOf(doc, hit.id);
    const end = hit.kind !== "point" ? null : hit.index === 0 ? 0 : hit.index === track.pts.length - 1 ? 1 : null;
    if (hit.kind === "point") this.#holdAt(hit.id, hit.index);
    return {
      move: ({ place, reach }) => {
        const chosen = store.look.keys;
        let move = [place[0] - spot.place[0], place[1] - spot.place[1]];
        if (chosen.size === 1 && end !== null) {
          const [x, y] = track.pts[hit.index];
          const to = [x + move[0], y + move[1]];
          const caught = this.#snapped(to, reach, end);
          move = [caught[0] - x, caught[1] - y];
        }
        store.draft(moved(doc, chosen, { move }));
      },
      end: () => {
        if (!this.#still) store.commit();
        else if (held && add) store.see({ keys: new Set([...keys].filter((key) => !own.includes(key))) });
        else if (held && !add) store.see({ keys: new Set(own) });
      },
    };
  }

  /** Select by dragging a rectangle. */
  #frame(spot) {
    const { store } = this;
    const before = spot.event.shiftKey ? [...store.look.keys] : [];
    return {
      move: ({ place }) => {
        const [left, right] = [spot.place[0], place[0]].sort((a, b) => a - b);
        const [top, bottom] = [spot.place[1], place[1]].sort((a, b) => a - b);
        const inside = keysOf(store.doc.tracks.filter((track) => track.on)).filter((key) => {
          const { id, index } = parted(key);
          const [x, y] = trackOf(store.doc, id).pts[index];
          return x >= left && x <= right && y >= top && y <= bottom;
        });
        store.see({ marquee: { left, top, right, bottom }, keys: new Set([...before, ...inside]) });
      },
      end: () => {
        if (this.#still) store.see({ keys: new Set(before), active: before.length ? store.look.active : null });
        else store.see({ active: touched(store.doc, store.look.keys)[0]?.id ?? null });
      },
    };
  }

  /** Drag a handle; the opposite one stays in line with it unless Alt is held. */
  #bend(hit) {
    const { store } = this;
    const doc = store.doc;
    const track = trackOf(doc, hit.id);
    const [x, y] = track.pts[hit.index];
    const [into, out] = handles(track)[hit.index];
    const other = hit.side === "in" ? out : into;
    const slots = hit.side === "in" ? [3, 5] : [5, 3];
    return {
      move: ({ place, event }) => {
        const arm = [place[0] - x, place[1] - y];
        let made = withNumbers(doc, hit.id, hit.index, slots[0], arm);
        const long = Math.hypot(...arm);
        if (other && long > 0 && !event.altKey) {
          const scale = -Math.hypot(...other) / long;
          made = withNumbers(made, hit.id, hit.index, slots[1], [arm[0] * scale, arm[1] * scale]);
        }
        store.draft(made);
      },
      end: () => store.commit(),
    };
  }

  /** Insert a point into a curve and drag it. */
  #insert(hit, spot) {
    const { store } = this;
    const put = ({ place }) => store.draft(withPoint(store.committed, hit.id, hit.index + 1, place));
    put(spot);
    store.see({ keys: new Set([keyOf(hit.id, hit.index + 1)]) });
    return { move: put, end: () => store.commit() };
  }

  /** Make the handles of a point automatic again. */
  #smooth(hit) {
    this.store.commit(withNumbers(this.store.doc, hit.id, hit.index, 3, [null, null, null, null]));
    return {};
  }

  #scale(spot, grip) {
    const { store } = this;
    const doc = store.doc;
    const keys = store.look.keys;
    const bounds = boundsOf(doc, keys);
    const about = [grip.includes("w") ? bounds.right : bounds.left, grip.includes("n") ? bounds.bottom : bounds.top];
    const corner = [grip.includes("w") ? bounds.left : bounds.right, grip.includes("n") ? bounds.top : bounds.bottom];
    const span = [0, 1].map((axis) => corner[axis] - about[axis]);
    return {
      move: ({ place, event }) => {
        const by = [0, 1].map((axis) => {
          const step = place[axis] - spot.place[axis];
          return Math.abs(span[axis]) < 1e-6 ? 1 : (span[axis] + step) / span[axis];
        });
        const even = Math.abs(span[0]) > Math.abs(span[1]) ? by[0] : by[1];
        store.draft(moved(doc, keys, { scale: event.shiftKey ? by : [even, even], about }));
      },
      end: () => store.commit(),
    };
  }

  #turn(spot) {
    const { store } = this;
    const doc = store.doc;
    const keys = store.look.keys;
    const { left, top, right, bottom } = boundsOf(doc, keys);
    const about = [(left + right) / 2, (top + bottom) / 2];
    const angle = ([x, y]) => (Math.atan2(y - about[1], x - about[0]) * 180) / Math.PI;
    return {
      move: ({ place, event }) => {
        const turned = angle(place) - angle(spot.place);
        store.draft(moved(doc, keys, { rotate: event.shiftKey ? Math.round(turned / TURN) * TURN : turned, about }));
      },
      end: () => store.commit(),
    };
  }

  #pan(spot) {
    const { store } = this;
    return {
      move: ({ place }) => {
        const { centre } = store.look;
        store.see({
          centre: [0, 1].map((axis) => centre[axis] - (place[axis] - spot.place[axis]) / store.doc.size[axis]),
        });
        this.stage.render();
      },
    };
  }

  #pinch() {
    const { store } = this;
    const fingers = () => {
      const [a, b] = [...this.#down.values()];
      const [x, y] = [(a.clientX + b.clientX) / 2, (a.clientY + b.clientY) / 2];
      return { place: this.stage.at(x, y).place, apart: Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) };
    };
    let before = fingers();
    this.#began = null;
    this.#still = false;
    return {
      move: () => {
        if (this.#down.size < 2) return;
        const { place, apart } = fingers();
        store.see(zoomed(store.look, store.doc.size, apart / Math.max(before.apart, 1), place));
        this.stage.render();
        const held = fingers().place;
        const { centre } = store.look;
        store.see({
          centre: [0, 1].map((axis) => centre[axis] - (held[axis] - before.place[axis]) / store.doc.size[axis]),
        });
        this.stage.render();
        before = { place: fingers().place, apart };
      },
    };
  }
}
