/** The list of tracks, and the properties of the active one. */

import { EASES, INTERPS } from "../track_math.js";
import { h } from "./dom.js";
import { easeBox } from "./ease.js";
import { parted, trackOf } from "./edits.js";
import { icon } from "./icons.js";

const INTERP_NAMES = { catmull: "Smooth", linear: "Straight", pchip: "No overshoot" };
const EASE_NAMES = { linear: "Even", in: "Slow start", out: "Slow end", inout: "Slow start and end" };
const OWN = "own";

/**
 * @param {import("./store.js").Store} store
 * @param {import("./actions.js").Actions} actions
 * @returns {HTMLElement}
 */
export function panel(store, actions) {
  const list = h("ul", { class: "list", "aria-label": "Tracks" });
  const properties = h("div", { class: "properties" });
  const element = h("div", { class: "panel", "data-testid": "panel" }, list, properties);
  const axes = ["x", "y"].map((name, axis) => {
    const field = h("input", {
      type: "text", inputmode: "decimal", title: `Place of the selected point, in pixels: ${name}`, "aria-label": name,
      "data-testid": `point-${name}`, onchange: () => place(axis, field),
      onkeydown: (event) => event.key === "Enter" && field.blur(),
    });
    return field;
  });
  const point = h("label", { class: "point" }, h("span", {}, "Point"), ...axes);
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
    if (!store.doc.tracks.length) return [h("li", { class: "empty" }, "No tracks yet. Drag on the picture with the pen.")];
    return store.doc.tracks.map((track) => {
      const toggled = `${track.on ? "Switch off" : "Switch on"} ${track.name}`;
      const click = (press) => (event) => {
        event.stopPropagation();
        press();
      };
      const color = h("input", {
        type: "color", value: track.color, title: `Colour of ${track.name}`, "aria-label": `Colour of ${track.name}`,
        onchange: () => actions.change(track.id, { color: color.value }),
      });
      const name = h("input", {
        type: "text", value: track.name, title: "Name of the track", "aria-label": `Name of ${track.name}`, spellcheck: "false",
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
      title: "Even speed along the curve: fixes the time of each point by its distance, without easing (E)",
    },
    "Even speed",
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
    if (track.pts.length < 2) return [h("p", { class: "empty" }, "An anchor: keeps its spot in place.")];
    const own = Array.isArray(track.ease);
    const eases = { ...EASE_NAMES, [OWN]: "Custom curve" };
    return [
      choice(
        "Curve",
        "Smooth: a curve through the points, with handles. Straight: lines between points. No overshoot: a curve that never " +
          "goes beyond its points",
        track.interp,
        Object.fromEntries(INTERPS.map((name) => [name, INTERP_NAMES[name]])),
        (interp) => actions.change(track.id, { interp }),
      ),
      choice(
        "Easing",
        "How the track starts and stops, between points with a fixed time",
        own ? OWN : track.ease,
        eases,
        (ease) => actions.change(track.id, { ease: ease === OWN ? EASES[track.ease] ?? track.ease : ease }),
      ),
      ...(track.pts.length > 2 ? [pacing] : []),
      easeBox(own ? track.ease : EASES[track.ease], (ease) => actions.change(track.id, { ease })),
    ];
  }

  return element;
}
