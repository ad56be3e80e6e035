/**
 * The comparison of two clips: pictures over each other, step by step or playing, with the numbers of each step.
 *
 * Assembles the parts of `compare_view/`. Knows nothing of ComfyUI: it takes what a run has told, and the addresses of pictures.
 */

import { length, profile, stepAt, told as inWords, worst } from "./compare_view/clock.js";
import { Pictures } from "./compare_view/pictures.js";
import { firstLook, Stage } from "./compare_view/stage.js";
import { h, s, set, styled } from "./track_view/dom.js";
import { forGraph } from "./track_view/gestures.js";
import { icon } from "./track_view/icons.js";
import { zoomed } from "./track_view/stage.js";

const STYLE = new URL("./compare_view.css", import.meta.url).href;
const MODES = { wipe: "Wipe", difference: "Difference", flicker: "Flicker", side: "Side by side" };
const GAINS = [1, 2, 4, 8, 16, 32];
const TURN = 500;
const EMPTY = "Connect two clips to a and b, and run the workflow.";
const LOADING = "The pictures are being loaded.";
const GONE = "The pictures of this run are gone: run the workflow again.";
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class CompareView {
  #told = null;
  #run = "";
  #index = 0;
  #look = firstLook();
  #playing = false;
  #clock = { at: 0, seconds: 0 };
  #held = null;
  #frame = 0;
  #turner = 0;

  /** @param {(name: string, folder: string) => string} urlOf  the address of a picture */
  constructor(urlOf) {
    styled(STYLE);
    this.urlOf = urlOf;
    this.pictures = new Pictures(() => this.#later());
    this.stage = new Stage();
    this.element = h("div", {
      class: "inbetween-compare", tabindex: 0, role: "application", "aria-label": "Comparison of a and b", "data-capture-wheel": "true",
    });
    this.hint = h("p", { class: "hint", role: "status" }, EMPTY);
    this.report = h("pre", { class: "report", tabindex: 0, hidden: true, "data-testid": "compare-report" });
    this.element.append(
      this.#toolbar(),
      h("div", { class: "middle" }, this.stage.element, this.hint, this.report),
      this.#timeline(),
      (this.notes = h("p", { class: "notes", "data-testid": "compare-notes", hidden: true })),
    );
    this.sizes = new ResizeObserver(() => this.#later());
    this.sizes.observe(this.stage.element);
    this.#listen();
    this.#later();
  }

  /** Show what a run has told, or nothing. */
  show(told) {
    const key = told ? `${told.steps[0]?.files[0]} ${told.steps.length}` : "";
    if (key === this.#run) return;
    this.#run = key;
    this.#told = told;
    this.#index = 0;
    this.#play(false);
    this.pictures.clear();
    this.#look = { ...this.#look, zoom: 1, centre: [0.5, 0.5] };
    this.report.textContent = told?.report ?? "";
    this.notes.textContent = told?.notes.join(" ") ?? "";
    this.notes.title = told?.notes.join("\n") ?? "";
    this.notes.hidden = !this.notes.textContent;
    set(this.slider, { max: Math.max((told?.steps.length ?? 1) - 1, 0) });
    set(this.profile, { d: told ? profile(told.steps) : "" });
    this.#later();
  }

  /** How clips are shown, as far as a workflow keeps it. */
  get look() {
    const { mode, gain } = this.#look;
    const usual = firstLook();
    return mode === usual.mode && gain === usual.gain ? {} : { mode, gain };
  }

  set look({ mode, gain }) {
    const usual = firstLook();
    this.#see({ mode: mode in MODES ? mode : usual.mode, gain: GAINS.includes(gain) ? gain : usual.gain });
  }

  /** Stop all that goes on. */
  close() {
    this.#play(false);
    clearInterval(this.#turner);
    cancelAnimationFrame(this.#frame);
    this.sizes.disconnect();
    this.pictures.clear();
  }

  /** The look, or just the picture whose key is held down. @returns {import("./compare_view/stage.js").Look} */
  get #shown() {
    return this.#held === null ? this.#look : { ...this.#look, mode: "flicker", turn: this.#held };
  }

  get #steps() {
    return this.#told?.steps ?? [];
  }

  #toolbar() {
    this.modes = Object.entries(MODES).map(([mode, label], index) =>
      h(
        "button",
        { type: "button", class: "mode", title: `${label} (${index + 1})`, "data-testid": `mode-${mode}`, onclick: () => this.#see({ mode }) },
        label,
      ),
    );
    this.gain = h(
      "select",
      {
        title: "Gain of the difference", "aria-label": "Gain of the difference", "data-testid": "gain",
        onchange: () => this.#see({ gain: Number(this.gain.value) }),
      },
      ...GAINS.map((gain) => h("option", { value: gain }, `x${gain}`)),
    );
    const press = (name, label, act) =>
      h("button", { type: "button", title: label, "aria-label": label, "data-testid": name, onclick: act }, icon(name));
    this.reporter = h(
      "button",
      { type: "button", class: "mode", title: "Numbers and what differs, as text (R)", "data-testid": "report", onclick: () => this.#toggleReport() },
      "Report",
    );
    return h(
      "div",
      { class: "toolbar" },
      h("div", { class: "group", role: "group", "aria-label": "How a and b are shown" }, ...this.modes, this.gain),
      h(
        "div",
        { class: "group", role: "group", "aria-label": "View" },
        this.reporter,
        press("fit", "Fit the picture (0)", () => this.#fit()),
        press("screen", "Full screen", () => this.#full()),
      ),
    );
  }

  #timeline() {
    const press = (name, label, act, kind = name) =>
      h("button", { type: "button", title: label, "aria-label": label, "data-testid": `step-${name}`, onclick: act }, icon(kind));
    this.player = h("button", { type: "button", "data-testid": "compare-play", onclick: () => this.#play(!this.#playing) });
    this.slider = h("input", {
      type: "range", min: 0, max: 0, step: 1, value: 0, "aria-label": "Step", "data-testid": "compare-slider",
      oninput: () => this.#go(Number(this.slider.value)),
    });
    this.profile = s("path", {});
    this.said = h("output", { class: "said", "data-testid": "compare-said" });
    const back = press("back", "Previous step (left)", () => this.#go(this.#index - 1), "back");
    const on = press("on", "Next step (right)", () => this.#go(this.#index + 1), "forward");
    const far = press("worst", "Go to the shown step that differs most (W)", () => this.#goWorst(), "peak");
    return h(
      "div",
      { class: "time" },
      h(
        "div",
        { class: "track" },
        s("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", class: "profile", "aria-hidden": "true" }, this.profile),
        this.slider,
      ),
      h("div", { class: "transport" }, back, this.player, on, far, this.said),
    );
  }

  /** Change how clips are shown. */
  #see(change) {
    this.#look = { ...this.#look, ...change };
    const turning = this.#look.mode === "flicker";
    if (turning !== Boolean(this.#turner)) {
      clearInterval(this.#turner);
      this.#turner = turning ? setInterval(() => this.#turn(), TURN) : 0;
    }
    this.#later();
  }

  #turn() {
    if (this.element.isConnected) this.#see({ turn: 1 - this.#look.turn });
  }

  #fit() {
    this.#see({ zoom: 1, centre: [0.5, 0.5] });
  }

  #full() {
    if (document.fullscreenElement === this.element) document.exitFullscreen();
    else this.element.requestFullscreen();
  }

  #toggleReport() {
    this.report.hidden = !this.report.hidden;
    this.#later();
  }

  #go(index) {
    this.#play(false);
    this.#index = Math.min(Math.max(index, 0), Math.max(this.#steps.length - 1, 0));
    this.#later();
  }

  #goWorst() {
    const index = worst(this.#steps);
    if (index !== null) this.#go(index);
  }

  #play(on) {
    this.#playing = on && this.#steps.length > 1 && length(this.#steps) > 0;
    if (this.#playing) this.#clock = { at: performance.now(), seconds: this.#steps[this.#index].time - this.#steps[0].time };
    this.#later();
  }

  /** Draw before the screen is next refreshed. */
  #later() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame((now) => this.#draw(now));
  }

  #draw(now) {
    const steps = this.#steps;
    if (this.#playing && this.element.isConnected) {
      this.#clock.seconds += Math.max(now - this.#clock.at, 0) / 1000;
      this.#index = stepAt(steps, this.#clock.seconds);
    }
    this.#clock.at = now;
    const step = steps[this.#index];
    const { images, failed } = step
      ? this.pictures.of(steps, this.#index, (name) => this.urlOf(name, this.#told.folder))
      : { images: null, failed: false };
    const waiting = step && !images && !failed;
    if (!waiting) {
      this.stage.draw(images, this.#shown); // while a picture loads, the one before stays
      this.hint.hidden = images !== null;
    }
    this.hint.textContent = waiting ? LOADING : failed ? GONE : EMPTY;
    if (waiting) this.#clock.at = Infinity; // the clock stands still until the step is shown
    this.#tell(step, waiting);
    if (this.#playing) this.#later();
  }

  #tell(step, waiting) {
    const { mode, gain } = this.#look;
    this.modes.forEach((button, index) => set(button, { "aria-pressed": String(Object.keys(MODES)[index] === mode) }));
    this.gain.hidden = mode !== "difference";
    this.gain.value = String(gain);
    set(this.reporter, { "aria-pressed": String(!this.report.hidden), disabled: !this.#told });
    this.slider.value = String(this.#index);
    this.slider.disabled = this.#steps.length < 2;
    const label = this.#playing ? "Pause (space)" : "Play (space)";
    if (this.player.title !== label) {
      set(this.player, { title: label, "aria-label": label });
      this.player.replaceChildren(icon(this.#playing ? "pause" : "play"));
    }
    const words = step ? inWords(step, this.#index + this.#told.first, this.#told.of) : "";
    this.said.textContent = waiting ? `${words} · loading` : words;
    if (!this.#playing) set(this.slider, { "aria-valuetext": words });
  }

  #listen() {
    const { element, stage } = this;
    for (const name of ["pointermove", "pointerup", "mousedown", "dblclick", "dragstart", "contextmenu", "copy"]) {
      element.addEventListener(name, (event) => event.stopPropagation());
    }
    element.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      if (!event.target.closest("button, input, select, .report, .divider")) element.focus({ preventScroll: true });
    });
    element.addEventListener("keydown", (event) => this.#keyed(event, true));
    element.addEventListener("keyup", (event) => this.#keyed(event, false));
    element.addEventListener("focusout", () => this.#held !== null && this.#hold(null));
    stage.element.addEventListener("pointerdown", (event) => this.#drag(event));
    stage.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #drag(event) {
    if (event.button > 1 || !this.#told) return;
    const { stage } = this;
    const box = stage.canvas.getBoundingClientRect();
    const dividing = event.target === stage.divider;
    const from = { x: event.clientX, y: event.clientY, centre: this.#look.centre };
    const { scale } = stage.under(event.clientX, event.clientY, this.#look);
    stage.element.setPointerCapture(event.pointerId);
    const move = (moved) => {
      if (dividing) return this.#see({ split: Math.min(Math.max((moved.clientX - box.left) / box.width, 0), 1) });
      const [w, h] = stage.size;
      this.#moveTo([from.centre[0] - (moved.clientX - from.x) / scale / w, from.centre[1] - (moved.clientY - from.y) / scale / h]);
    };
    const end = () => {
      stage.element.removeEventListener("pointermove", move);
      for (const name of ["pointerup", "pointercancel"]) stage.element.removeEventListener(name, end);
    };
    stage.element.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel"]) stage.element.addEventListener(name, end);
  }

  #moveTo(centre) {
    this.#see({ centre: centre.map((part) => Math.min(Math.max(part, 0), 1)) });
  }

  /** As in the track editor: the wheel zooms if the view has the focus, and is the graph's otherwise, or with Ctrl or sideways. */
  #wheel(event) {
    const { element, stage } = this;
    if (!element.contains(document.activeElement) || (forGraph(event) && document.fullscreenElement !== element)) return;
    event.preventDefault();
    event.stopPropagation();
    const { x, y } = stage.under(event.clientX, event.clientY, this.#look);
    this.#see(zoomed(this.#look, stage.size, Math.exp(-event.deltaY / (event.deltaMode ? 20 : 400)), [x - 0.5, y - 0.5]));
  }

  #keyed(event, down) {
    if (event.ctrlKey || event.metaKey) return;
    const { target } = event;
    if (target.matches("select") || (target === this.report && event.key !== "Escape" && event.key.toLowerCase() !== "r")) return;
    if (target.matches("button") && (event.key === " " || event.key === "Enter")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (!(down ? this.#pressed(key, event) : this.#released(key))) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #pressed(key, { shiftKey, target }) {
    const { size } = this.stage;
    if (target === this.stage.divider && key in ARROWS) {
      this.#see({ split: Math.min(Math.max(this.#look.split + (ARROWS[key][0] - ARROWS[key][1]) * 0.02, 0), 1) });
    } else if (shiftKey && key in ARROWS) {
      this.#moveTo(this.#look.centre.map((part, axis) => part + (ARROWS[key][axis] * 0.1) / this.#look.zoom));
    } else if (key === "ArrowLeft" || key === "ArrowRight") this.#go(this.#index + ARROWS[key][0]);
    else if (key === "Home") this.#go(0);
    else if (key === "End") this.#go(Infinity);
    else if (key === " ") this.#play(!this.#playing);
    else if (key >= "1" && key <= "4") this.#see({ mode: Object.keys(MODES)[Number(key) - 1] });
    else if (key === "+" || key === "=") this.#see(zoomed(this.#look, size, 1.25));
    else if (key === "-") this.#see(zoomed(this.#look, size, 0.8));
    else if (key === "0") this.#fit();
    else if (key === "w") this.#goWorst();
    else if (key === "r") this.#toggleReport();
    else if (key === "Escape" && !this.report.hidden) this.#toggleReport();
    else if (key === "a" || key === "b") this.#hold(key === "a" ? 0 : 1);
    else return false;
    return true;
  }

  #released(key) {
    if (key !== "a" && key !== "b") return false;
    this.#hold(null);
    return true;
  }

  /** Show only a (0) or b (1), or what was shown before. @param {0|1|null} turn */
  #hold(turn) {
    this.#held = turn;
    this.#later();
  }
}
