/** The list of tracks, and the properties of the active one. */

import { EASES, INTERPS } from "../track_math.js";
import { h } from "./dom.js";
import { easeBox } from "./ease.js";
import { parted, trackOf } from "./edits.js";
import { icon } from "./icons.js";
import { word } from "../words.js";

const interpNames = () => ({ catmull: word("Smooth"), linear: word("Straight"), pchip: word("No overshoot") });
const easeNames = () => ({
  linear: word("Even"), in: word("Slow start"), out: word("Slow end"), inout: word("Slow start and end"), [OWN]: word("Custom curve"),
});
const OWN = "own";

/**
 * @param {import("./store.js").Store} store
 * @param {import("./actions.js").Actions} actions
 * @returns {HTMLElement}
 */
export function panel(store, actions) {
  const list = h("ul", { class: "list", "aria-label": word("Tracks") });
  const properties = h("div", { class: "properties" });
  const element = h("div", { class: "panel", "data-testid": "panel" }, list, properties);
  const axes = ["x", "y"].map((name, axis) => {
    const field = h("input", {
      type: "text", inputmode: "decimal", title: word("Place of the selected point, in pixels: {name}", { name }),
      "aria-label": name,
      "data-testid": `point-${name}`, onchange: () => place(axis, field),
      onkeydown: (event) => event.key === "Enter" && field.blur(),
    });
    return field;
  });
  const point = h("label", { class: "point" }, h("span", {}, word("Point")), ...axes);
  let [listed, shown] = [null, null];

  /** The name of the selected point, if it is the only one and on the active track; else undefined. */
  const single = () => {
    const { look } = store;
    const [key] = look.keys;
    return look.keys.size === 1 && parted(key).id === look.active && placeOf(key) ? key : undefined;
  };

  function place(axis, field) {
    const key = single();
    const value = Number(field.value.trim().replace(",", "."));
    if (!key) return;
    const to = placeOf(key);
    const changes = field.value.trim() && Number.isFinite(value) && value !== to[axis];
    to[axis] = value;
    if (changes) actions.put(key, to);
    else store.see({}); // shows the old value again
  }

  function placeOf(key) {
    const { id, index } = parted(key);
    return trackOf(store.doc, id)?.pts[index]?.slice(0, 2);
  }

  store.watch(() => {
    const { doc, look } = store;
    element.hidden = !look.listed;
    if (element.hidden) return;
    const asListed = [doc.tracks, look.active];
    if (listed?.some((part, index) => part !== asListed[index]) ?? true) {
      listed = asListed;
      if (!list.contains(document.activeElement)) list.replaceChildren(...rows());
    }
    const track = trackOf(doc, look.active);
    const asShown = JSON.stringify([track?.id, track?.interp, track?.ease, Math.min(track?.pts.length ?? 0, 3)]);
    if (asShown !== shown) {
      shown = asShown;
      properties.replaceChildren(...(track ? [point, ...fields(track)] : []));
    }
    const key = single();
    point.hidden = !key;
    const values = key ? placeOf(key) : [];
    for (const [axis, field] of axes.entries()) {
      if (key && field !== document.activeElement) field.value = String(Math.round(values[axis] * 10) / 10);
    }
  });

  list.addEventListener("focusout", () => {
    listed = null;
    store.see({});
  });

  function rows() {
    if (!store.doc.tracks.length) return [h("li", { class: "empty" }, word("No tracks yet. Drag on the picture with the pen."))];
    return store.doc.tracks.map((track) => {
      const { name: called } = track;
      const toggled = track.on ? word("Switch off {track}", { track: called }) : word("Switch on {track}", { track: called });
      const coloured = word("Colour of {track}", { track: called });
      const click = (press) => (event) => {
        event.stopPropagation();
        press();
      };
      const color = h("input", {
        type: "color", value: track.color, title: coloured, "aria-label": coloured,
        onchange: () => actions.change(track.id, { color: color.value }),
      });
      const name = h("input", {
        type: "text", value: called, title: word("Name of the track"), spellcheck: "false",
        "aria-label": word("Name of {track}", { track: called }),
        "data-testid": `name-${track.id}`,
        onfocus: () => store.look.active !== track.id && actions.select(track.id),
        onchange: () => actions.change(track.id, { name: name.value }),
        onkeydown: (event) => ["Enter", "Escape"].includes(event.key) && name.blur(),
      });
      const eye = h(
        "button",
        {
          type: "button", title: toggled, "aria-label": toggled, "aria-pressed": String(track.on), "data-testid": `on-${track.id}`,
          onclick: click(() => actions.change(track.id, { on: !track.on })),
        },
        icon(track.on ? "on" : "off"),
      );
      const active = track.id === store.look.active;
      const classes = `row${active ? " active" : ""}${track.on ? "" : " off"}`;
      return h("li", { class: classes, "data-testid": `row-${track.id}`, onclick: () => actions.select(track.id) }, color, name, eye);
    });
  }

  const pacing = h(
    "button",
    {
      type: "button", class: "wide", "data-testid": "pace", onclick: () => actions.pace(),
      title: word("Even speed along the curve: fixes the time of each point by its distance, without easing (E)"),
    },
    word("Even speed"),
  );

  function choice(label, tip, value, options, choose) {
    const select = h(
      "select",
      { title: tip, "aria-label": label, "data-testid": label.toLowerCase(), onchange: () => choose(select.value) },
      ...Object.entries(options).map(([key, text]) => h("option", { value: key, selected: key === value }, text)),
    );
    return h("label", {}, h("span", {}, label), select);
  }

  function fields(track) {
    if (track.pts.length < 2) return [h("p", { class: "empty" }, word("An anchor: keeps its spot in place."))];
    const own = Array.isArray(track.ease);
    const names = interpNames();
    return [
      choice(
        word("Curve"),
        word(
          "Smooth: a curve through the points, with handles. Straight: lines between points. No overshoot: a curve that never " +
            "goes beyond its points",
        ),
        track.interp,
        Object.fromEntries(INTERPS.map((name) => [name, names[name]])),
        (interp) => actions.change(track.id, { interp }),
      ),
      choice(
        word("Easing"),
        word("How the track starts and stops, between points with a fixed time"),
        own ? OWN : track.ease,
        easeNames(),
        (ease) => actions.change(track.id, { ease: ease === OWN ? EASES[track.ease] ?? track.ease : ease }),
      ),
      ...(track.pts.length > 2 ? [pacing] : []),
      easeBox(own ? track.ease : EASES[track.ease], (ease) => actions.change(track.id, { ease })),
    ];
  }

  return element;
}
