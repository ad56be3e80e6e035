/** The list of tracks, and the properties of the active one. */

import { EASES, INTERPS } from "../track_math.js";
import { h } from "./dom.js";
import { easeBox } from "./ease.js";
import { trackOf } from "./edits.js";
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
  let [listed, shown] = [null, null];

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
    const asShown = JSON.stringify([track?.id, track?.interp, track?.ease, track?.pts.length > 1]);
    if (asShown !== shown) {
      shown = asShown;
      properties.replaceChildren(...(track ? fields(track) : []));
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
      easeBox(own ? track.ease : EASES[track.ease], (ease) => actions.change(track.id, { ease })),
    ];
  }

  return element;
}
