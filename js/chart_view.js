/**
 * Spacing charts: a line from A to B per part, with a tick per drawing, under the frames that they make.
 *
 * Knows nothing of ComfyUI: it takes the text of charts and the addresses of pictures, and reports each committed change.
 *
 * @typedef {import("./chart_math.js").Row} Row
 */

import {
  HOLDS, PRESETS, REST, added, blank, drawings, framesOf, moved, most, newName, parse, places, removed, stringify, ticks,
} from "./chart_math.js";
import { h, s, set, styled } from "./track_view/dom.js";

const STYLE = new URL("./chart_view.css", import.meta.url).href;
const [EDGE, LINE, HIGH] = [22, 26, 52];
const STEP = 0.01;
const OFF = 34;

export class ChartView {
  #text = "";
  #rows = blank();
  #frames = 7;
  #frame = 1;
  #row = 0;
  #tick = null;
  #drag = null;
  #pictures = { first: null, last: null, frames: [] };
  #onion = true;
  #fault = "";

  /** @param {(text: string) => void} save  called with the charts' text after each gesture that changed them */
  constructor(save) {
    styled(STYLE);
    this.save = save;
    this.stage = h("div", { class: "stage", "data-testid": "chart-stage" });
    this.note = h("p", { class: "note", role: "status", "data-testid": "chart-note" });
    this.strip = h("div", { class: "strip", role: "group", "aria-label": "Frames" });
    this.list = h("div", { class: "rows" });
    this.skin = h(
      "button",
      {
        type: "button", class: "wide", "aria-pressed": "true", "data-testid": "chart-onion",
        title: "Show the frames before and after, faintly, or A and B if none are made yet",
        onclick: () => {
          this.#onion = !this.#onion;
          this.#draw();
        },
      },
      "Onion skin",
    );
    this.adder = h(
      "button",
      { type: "button", class: "wide", "data-testid": "chart-add", title: "Add a part with a chart of its own", onclick: () => this.#addRow() },
      "Add part",
    );
    this.element = h(
      "div",
      { class: "inbetween-charts", tabindex: 0, role: "application", "aria-label": "Spacing chart", "data-capture-wheel": "true" },
      this.stage,
      h("div", { class: "bar" }, this.strip, this.skin, this.adder),
      this.list,
      this.note,
    );
    this.#listen();
    this.sizes = new ResizeObserver(() => this.#drawRows());
    this.sizes.observe(this.list);
    this.#draw();
  }

  /** The charts' text as last saved or set. */
  get value() {
    return this.#text;
  }

  /** Take a text from outside. One that cannot be read is kept until something is drawn. */
  set value(text) {
    if (text === this.#text) return;
    this.#text = text;
    this.#fault = "";
    try {
      this.#rows = parse(text);
    } catch (error) {
      this.#rows = blank();
      this.#fault = `Cannot show these charts: ${error.message}`;
    }
    this.#row = Math.min(this.#row, this.#rows.length - 1);
    this.#tick = null;
    this.#draw();
  }

  /** The number of frames between A and B. @param {number} frames */
  set frames(frames) {
    if (frames === this.#frames || !(frames >= 1)) return;
    this.#frames = frames;
    this.#frame = Math.min(this.#frame, frames);
    this.#draw();
  }

  /**
   * The pictures to show: of the keyframes, and of the last run's frames, A and B included.
   * @param {{first: string|null, last: string|null, frames: string[]}} pictures
   */
  show(pictures) {
    if (JSON.stringify(pictures) === JSON.stringify(this.#pictures)) return;
    this.#pictures = pictures;
    this.#drawStage();
  }

  /** How the charts are looked at, for another view of them. */
  get look() {
    return { frame: this.#frame, row: this.#row, onion: this.#onion };
  }

  set look({ frame = 1, row = 0, onion = true }) {
    this.#frame = Math.min(frame, this.#frames);
    this.#row = Math.min(row, this.#rows.length - 1);
    this.#onion = onion;
    this.#draw();
  }

  close() {
    this.sizes.disconnect();
  }

  #commit(rows) {
    this.#rows = rows;
    this.#fault = "";
    this.#text = stringify(rows);
    this.#draw();
    this.save(this.#text);
  }

  #changed(index, row, save = true) {
    const rows = this.#rows.map((one, at) => (at === index ? row : one));
    if (save) this.#commit(rows);
    else {
      this.#rows = rows;
      this.#draw();
    }
  }

  #addRow() {
    this.#row = this.#rows.length;
    this.#tick = null;
    this.#commit([...this.#rows, { name: newName(this.#rows), spacing: "ease-in-out", on: null }]);
  }

  #draw() {
    set(this.skin, { "aria-pressed": this.#onion ? "true" : "false" });
    this.strip.replaceChildren(
      ...Array.from({ length: this.#frames }, (_, index) =>
        h(
          "button",
          {
            type: "button", class: "frame", "aria-pressed": this.#frame === index + 1 ? "true" : "false", "data-testid": `chart-frame-${index + 1}`,
            title: `Frame ${index + 1}`, onclick: () => this.#see(index + 1),
          },
          String(index + 1),
        ),
      ),
    );
    this.#drawRows();
    this.#drawStage();
    const crowded = this.#rows.find((row) => ticks(row, this.#frames).length > most(row, this.#frames));
    this.note.textContent = this.#fault || (crowded
      ? `${this.#label(crowded)} has ${ticks(crowded, this.#frames).length} drawings, and ${this.#frames} frames have room for ` +
        `${most(crowded, this.#frames)}: remove some, or hold them shorter.`
      : "");
    this.note.hidden = !this.note.textContent;
  }

  #see(frame) {
    this.#frame = frame;
    this.#draw();
  }

  #drawStage() {
    const { first, last, frames } = this.#pictures;
    const made = frames.length === this.#frames + 2 ? frames : null;
    const layer = (url, share, kind) => h("img", { src: url, alt: "", class: kind, style: `opacity: ${share}`, draggable: "false" });
    const layers = [];
    if (made) {
      layers.push(layer(made[this.#frame], 1, "now"));
      if (this.#onion) layers.push(layer(made[this.#frame - 1], 0.3, "before"), layer(made[this.#frame + 1], 0.3, "after"));
    } else {
      if (first) layers.push(layer(first, 1, "before"));
      if (last && (this.#onion || !first)) layers.push(layer(last, first ? 0.5 : 1, "after"));
    }
    const shown = made ? `Frame ${this.#frame}` : first || last ? "A and B: run Tween with Charts to see frames" : "Connect keyframes to first and last.";
    this.stage.replaceChildren(...layers, h("span", { class: "said", "data-testid": "chart-said" }, shown));
  }

  #label(row) {
    return row.name === REST ? "everything else" : row.name;
  }

  #drawRows() {
    if (this.list.contains(document.activeElement) && document.activeElement.matches("input")) return; // a name is being typed
    const focused = document.activeElement?.dataset?.testid;
    const within = this.list.contains(document.activeElement);
    this.list.replaceChildren(...this.#rows.map((row, index) => this.#rowOf(row, index)));
    if (within && focused) this.list.querySelector(`[data-testid="${focused}"]`)?.focus({ preventScroll: true });
  }

  #rowOf(row, index) {
    const rest = row.name === REST;
    const name = rest
      ? h("span", { class: "name", title: "All that is in no part" }, this.#label(row))
      : h("input", {
        class: "name", value: row.name, maxlength: 100, "aria-label": "Name of the part", "data-testid": `chart-name-${index}`,
        onchange: (event) => this.#rename(index, event.target),
        onkeydown: (event) => event.key === "Enter" && event.target.blur(),
      });
    const option = (value, label, chosen) => h("option", { value, selected: chosen }, label);
    const own = typeof row.spacing !== "string";
    const preset = h(
      "select",
      {
        "aria-label": "Spacing", title: "Spacing: a preset, or your own ticks", "data-testid": `chart-preset-${index}`,
        onchange: (event) => this.#changed(index, { ...row, spacing: event.target.value || ticks(row, this.#frames) }),
      },
      ...(own ? [option("", "drawn", true)] : []),
      ...Object.keys(PRESETS).map((one) => option(one, one, one === row.spacing)),
    );
    const hold = h(
      "select",
      {
        "aria-label": "How long each drawing is held", title: "How long each drawing is held", "data-testid": `chart-hold-${index}`,
        onchange: (event) => this.#changed(index, { ...row, on: Number(event.target.value) || null }),
      },
      option("", own ? "as it fits" : "on ones", !row.on),
      ...Object.entries(HOLDS).filter(([, frames]) => own || frames > 1).map(([one, frames]) => option(frames, `on ${one}`, row.on === frames)),
      ...(row.on > 4 ? [option(row.on, String(row.on), true)] : []),
    );
    const remove = h(
      "button",
      {
        type: "button", class: "wide", title: "Remove this part", "aria-label": "Remove this part", hidden: rest,
        "data-testid": `chart-remove-${index}`, onclick: () => this.#commit(this.#rows.filter((_, at) => at !== index)),
      },
      "\u00d7",
    );
    return h(
      "div",
      { class: `row${index === this.#row ? " chosen" : ""}`, "data-testid": `chart-row-${index}` },
      h("div", { class: "head" }, name, preset, hold, remove),
      this.#line(row, index),
    );
  }

  /** The line from A to B with its ticks. */
  #line(row, index) {
    const wide = Math.max(this.list.clientWidth - 14, 120);
    const xOf = (place) => EDGE + place * (wide - 2 * EDGE);
    const shown = drawings(row, this.#frames);
    const now = places(row, this.#frames)[this.#frame - 1] ?? 0;
    const end = (letter, place) => [
      s("path", { class: "end", d: `M${xOf(place)} ${LINE - 15}v30` }),
      s("text", { class: "letter", x: xOf(place) + (place ? 12 : -12), y: LINE + 4 }, letter),
    ];
    const tick = (place, at) => {
      const frames = framesOf(shown, at + 1);
      const chosen = this.#tick?.row === index && this.#tick.at === at;
      return s(
        "g",
        {
          class: `tick${chosen ? " chosen" : ""}${frames ? "" : " unseen"}`, "data-part": "tick", "data-index": at, "data-testid": `chart-tick-${index}-${at}`,
          tabindex: 0, role: "slider", "aria-label": `Drawing ${at + 1}`, "aria-valuemin": 0, "aria-valuemax": 1,
          "aria-valuenow": Math.round(place * 1000) / 1000, transform: `translate(${xOf(place)} ${LINE})`,
        },
        s("rect", { class: "reach", x: -7, y: -20, width: 14, height: 40 }),
        s("path", { d: "M0 -10v20" }),
        s("text", { class: "frames", y: at % 2 ? 24 : -14 }, frames),
        s("title", {}, `Drawing ${at + 1} at ${Math.round(place * 1000) / 1000}, on frame ${frames || "–"}. Drag it; drag it off the line to remove it.`),
      );
    };
    return s(
      "svg",
      { class: "line", width: wide, height: HIGH, viewBox: `0 0 ${wide} ${HIGH}`, "data-row": index, "data-testid": `chart-line-${index}` },
      s("title", {}, "Double-click to add a drawing"),
      s("rect", { class: "reach", width: wide, height: HIGH }),
      s("path", { class: "way", d: `M${xOf(0)} ${LINE}H${xOf(1)}` }),
      ...end("A", 0),
      ...end("B", 1),
      s("path", { class: "now", d: `M${xOf(now)} ${LINE + 5}l5 9h-10z` }),
      ...ticks(row, this.#frames).map(tick),
    );
  }

  #rename(index, input) {
    const name = input.value.trim();
    const taken = this.#rows.some((row, at) => at !== index && row.name === name);
    input.blur();
    if (!name || name === REST || taken) this.#drawRows();
    else this.#changed(index, { ...this.#rows[index], name });
  }

  #placeAt(event, line) {
    const box = line.getBoundingClientRect();
    const wide = Number(line.getAttribute("width"));
    return ((event.clientX - box.left) * (wide / box.width) - EDGE) / (wide - 2 * EDGE);
  }

  #listen() {
    const { element, list } = this;
    for (const name of ["pointermove", "pointerup", "mousedown", "dragstart"]) element.addEventListener(name, (event) => event.stopPropagation());
    element.addEventListener("contextmenu", (event) => {
      event.stopPropagation();
      event.preventDefault();
    });
    element.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      const line = event.target.closest?.("svg.line");
      if (!line || event.button > 0) {
        if (!event.target.closest?.("input, select, button")) element.focus({ preventScroll: true });
        return;
      }
      const index = Number(line.dataset.row);
      const tick = event.target.closest("[data-part=tick]");
      this.#row = index;
      this.#tick = tick ? { row: index, at: Number(tick.dataset.index) } : null;
      if (tick) {
        list.setPointerCapture(event.pointerId);
        const at = Number(tick.dataset.index);
        this.#drag = { index, at, row: this.#rows[index], from: event.clientX, still: true, offset: this.#placeAt(event, line) - ticks(this.#rows[index], this.#frames)[at] };
        const shows = drawings(this.#rows[index], this.#frames).indexOf(at + 1);
        if (shows >= 0) this.#frame = shows + 1;
      }
      this.#draw();
      if (tick) list.querySelector(`[data-testid="chart-tick-${index}-${tick.dataset.index}"]`)?.focus({ preventScroll: true });
      else element.focus({ preventScroll: true });
    });
    list.addEventListener("pointermove", (event) => {
      const { still, from, index, at, row, offset } = this.#drag ?? {};
      if (!this.#drag || (still && Math.abs(event.clientX - from) < 2 && !this.#outside(event, index))) return;
      this.#drag.still = false;
      const line = list.querySelector(`svg[data-row="${index}"]`);
      this.#drag.gone = this.#outside(event, index);
      this.#changed(index, this.#drag.gone ? removed(row, this.#frames, at) : moved(row, this.#frames, at, this.#placeAt(event, line) - offset), false);
    });
    const ended = (event) => {
      const drag = this.#drag;
      this.#drag = null;
      if (!drag || drag.still) return;
      const row = this.#rows[drag.index];
      if (drag.gone) this.#tick = null;
      if (event.type === "pointercancel") this.#changed(drag.index, drag.row, false);
      else this.#changed(drag.index, row);
    };
    list.addEventListener("pointerup", ended);
    list.addEventListener("pointercancel", ended);
    element.addEventListener("dblclick", (event) => event.stopPropagation());
    // Each press draws the line anew, so that no double click reaches it: count them, and look what is there now.
    list.addEventListener("mousedown", (event) => {
      if (event.detail !== 2 || event.button) return;
      const under = document.elementFromPoint(event.clientX, event.clientY);
      const line = under?.closest("svg.line");
      if (!line || under.closest("[data-part=tick]")) return;
      const index = Number(line.dataset.row);
      const place = this.#placeAt(event, line);
      const row = added(this.#rows[index], this.#frames, place);
      if (row === this.#rows[index]) {
        this.note.textContent = "There are as many drawings as frames: add frames first.";
        this.note.hidden = false;
      } else this.#changed(index, row);
    });
    element.addEventListener("keydown", (event) => this.#key(event));
  }

  /** Whether a pointer is off the line of a row. */
  #outside(event, index) {
    const box = this.list.querySelector(`svg[data-row="${index}"]`).getBoundingClientRect();
    const scale = box.height / HIGH;
    return event.clientY < box.top - OFF * scale + LINE * scale - 10 || event.clientY > box.bottom + OFF * scale - 10;
  }

  #key(event) {
    if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const tick = event.target.closest?.("[data-part=tick]");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const index = tick ? Number(tick.closest("svg").dataset.row) : this.#row;
    const at = tick ? Number(tick.dataset.index) : null;
    const row = this.#rows[index];
    if (tick && step) {
      this.#tick = { row: index, at };
      this.#changed(index, moved(row, this.#frames, at, ticks(row, this.#frames)[at] + step * (event.shiftKey ? STEP * 10 : STEP)));
    } else if (tick && ["Delete", "Backspace"].includes(event.key)) {
      this.#tick = null;
      this.#changed(index, removed(row, this.#frames, at));
      this.element.focus({ preventScroll: true });
    } else if (step) this.#see(Math.min(Math.max(this.#frame + step, 1), this.#frames));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
