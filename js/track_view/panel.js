/** The list of tracks, and the properties of the active one. */

import { EASES, INTERPS } from "../track_math.js";
import { h } from "./dom.js";
import { easeBox } from "./ease.js";
import { trackOf } from "./edits.js";
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
      easeBox(own ? track.ease : EASES[track.ease], (ease) => actions.change(track.id, { ease })),
    ];
  }

  return element;
}
