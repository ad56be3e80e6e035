/**
 * The strip below the stage: output frames as ticks, the playhead, and the point times and visible span of the active track.
 */

import { instants, times } from "../track_math.js";
import { h, s, set } from "./dom.js";
import { changed, keyOf, trackOf, withTime } from "./edits.js";
import { icon } from "./icons.js";
import { word } from "../words.js";

const EDGE = 12;
const HEIGHT = 56;
const RULER = 16;
const ROW = 29;
const SEEN = 47;
const PACE = 24;
const LEAST = 1.5;
const STILL = 3;

/**
 * @param {import("./store.js").Store} store
 * @param {import("./actions.js").Actions} actions
 * @param {import("./scene.js").Scene} scene
 * @returns {HTMLElement}
 */
export function timeline(store, actions, scene) {
  const strip = s("svg", { class: "strip", "data-testid": "strip", height: HEIGHT, role: "img", "aria-label": word("Time") });
  const play = h("button", { type: "button", class: "play", "data-testid": "play", onclick: () => actions.play() });
  const count = h("output", { class: "count", "aria-label": word("Frame") });
  const element = h("div", { class: "timeline" }, play, strip, count);

  const width = () => strip.clientWidth - 2 * EDGE;
  const xOf = (t) => EDGE + t * width();

  const draw = () => {
    const { look, doc } = store;
    const track = trackOf(doc, look.active);
    const [title, label] = look.playing ? [word("Pause (Space)"), word("Pause")] : [word("Play (Space)"), word("Play")];
    set(play, { title, "aria-label": label });
    play.replaceChildren(icon(look.playing ? "pause" : "play"));
    count.textContent = `${Math.round(look.time * (scene.frames - 1)) + 1} / ${scene.frames}`;
    strip.replaceChildren(
      s("rect", { x: 0, y: 0, width: strip.clientWidth, height: HEIGHT, class: "ground", "data-part": "head" }),
      ...ticks(),
      ...(track ? row(track) : []),
      s("path", { class: "play-head", d: `M${xOf(look.time)} 0V${HEIGHT}` }),
      s("path", { class: "play-head top", d: `M${xOf(look.time) - 5} 0h10l-5 7z` }),
    );
  };

  const ticks = () => {
    const at = instants(scene.frames);
    const every = Math.max(1, Math.ceil((4 * at.length) / Math.max(width(), 1)));
    return at
      .map((t, index) => [t, index])
      .filter(([, index]) => index % every === 0 || index === at.length - 1)
      .map(([t, index]) => {
        const tall = index === 0 || index === at.length - 1 || index % (8 * every) === 0;
        return s("path", { class: "frame", d: `M${xOf(t)} ${RULER}v${tall ? -9 : -5}` });
      });
  };

  const row = (track) => {
    const [from, to] = track.span.map(xOf);
    const edge = (which, x) =>
      s("g", { class: "edge", "data-part": "span", "data-which": which, "data-testid": `span-${which}` },
        s("rect", { x: x - 10, y: SEEN - 8, width: 20, height: 17, class: "reach" }),
        s("path", { d: `M${x} ${SEEN - 5}v10`, stroke: track.color }),
        s("title", {}, which ? word("Drag to set the end of visibility") : word("Drag to set the start of visibility")),
      );
    const passed = times(track);
    const diamond = (t, index) => {
      const chosen = store.look.keys.has(keyOf(track.id, index));
      const own = track.pts[index][2] !== null;
      return s("g", { class: `time${own ? " own" : ""}${chosen ? " chosen" : ""}`, "data-part": "time", "data-index": index,
        "data-testid": `time-${index}`, transform: `translate(${xOf(t)} ${ROW})` },
        s("rect", { x: -10, y: -10, width: 20, height: 19, class: "reach" }),
        s("path", { d: "M0 -6L6 0L0 6L-6 0z", fill: own ? track.color : null }),
        s("title", {}, own ? word("Drag to set the point's time. Double-click to interpolate it") : word("Drag to set the point's time")),
      );
    };
    return [
      s("rect", { x: from, y: SEEN - 2, width: Math.max(to - from, 0), height: 4, class: "seen", fill: track.color }),
      edge(0, from),
      edge(1, to),
      ...(track.pts.length > 1 ? [s("path", { class: "way", d: `M${xOf(passed[0])} ${ROW}H${xOf(passed.at(-1))}` })] : []),
      ...(track.pts.length > 1 ? passed.map(diamond) : []),
    ];
  };

  const timeAt = (event) => {
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(strip.getScreenCTM().inverse());
    return Math.min(Math.max((point.x - EDGE) / width(), 0), 1);
  };
  const nearFrame = (t) => {
    const last = scene.frames - 1;
    const frame = Math.round(t * last) / last;
    return Math.abs(frame - t) * width() < 4 ? frame : t;
  };

  let drag = null;
  let tapped = { time: 0, index: -1 };
  strip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    strip.setPointerCapture(event.pointerId);
    const part = event.target.closest("[data-part]")?.dataset ?? { part: "head" };
    const track = trackOf(store.doc, store.look.active);
    drag = { ...part, id: track?.id, x: event.clientX, still: true };
    if (part.part === "time") {
      const index = Number(part.index);
      const twice = tapped.index === index && event.timeStamp - tapped.time < 350;
      tapped = { index, time: event.timeStamp };
      store.see({ keys: new Set([keyOf(track.id, index)]), playing: false });
      if (twice) {
        store.commit(withTime(store.doc, track.id, index, null));
        drag = null;
      }
    } else if (part.part === "head") store.see({ time: timeAt(event), playing: false });
  });
  strip.addEventListener("pointermove", (event) => {
    if (!drag) return;
    event.stopPropagation();
    if (drag.still && Math.abs(event.clientX - drag.x) < STILL) return;
    drag.still = false;
    const t = nearFrame(timeAt(event));
    if (drag.part === "head") store.see({ time: timeAt(event) });
    else if (drag.part === "time") store.draft(withTime(store.committed, drag.id, Number(drag.index), t));
    else {
      const [from, to] = trackOf(store.committed, drag.id).span;
      const span = drag.which === "0" ? [Math.min(t, to), to] : [from, Math.max(t, from)];
      store.draft(changed(store.committed, drag.id, { span }));
    }
  });
  strip.addEventListener("pointerup", (event) => {
    if (!drag) return;
    event.stopPropagation();
    if (drag.part !== "head" && !drag.still) store.commit();
    drag = null;
  });
  strip.addEventListener("pointercancel", () => {
    drag = null;
    store.cancel();
  });

  let before = 0;
  let ticking = false;
  const advance = (now) => {
    if (!store.look.playing || !strip.isConnected) {
      ticking = false;
      if (store.look.follow) store.see({ held: null });
      return;
    }
    const seconds = Math.max(LEAST, (scene.frames - 1) / PACE);
    const time = (store.look.time + (now - before) / 1000 / seconds) % 1;
    before = now;
    store.see({ time, held: store.look.follow ? time : null });
    requestAnimationFrame(advance);
  };
  store.watch(() => {
    draw();
    if (!store.look.playing || ticking) return;
    ticking = true;
    requestAnimationFrame((now) => {
      before = now;
      advance(now);
    });
  });
  new ResizeObserver(draw).observe(strip);
  return element;
}
