/**
 * The dialog of the Model Picker: a table to search and sort, and what to know of the row that is marked. Knows nothing of
 * ComfyUI: it is given the rows and told what to do with the chosen one.
 */

import { h, set, styled } from "../track_view/dom.js";
import { details } from "./details.js";
import { COLUMNS, isMeant, isRestricted, MEANINGS, shown } from "./rows.js";

const PAGE = 10;
const STYLE = new URL("../model_picker.css", import.meta.url).href;

/**
 * What the dialog needs.
 * @typedef {object} Host
 * @property {() => Promise<import("./rows.js").Row[]>} load  the rows as they are now
 * @property {() => string|undefined} current  the entry of the combo that is set
 * @property {() => string} fixed  why no model can be chosen here; empty if one can
 * @property {() => boolean|undefined} download  whether allow download is on; undefined if another node decides
 * @property {() => boolean|undefined} accepted  whether accept licence is on; undefined if there is no such input
 * @property {() => string} quality  the rung of the quality ladder that is set
 * @property {(row: import("./rows.js").Row) => void} choose
 * @property {(row: import("./rows.js").Row) => void} convert  put a Convert Model node for this file into the graph
 */

/** Open the dialog. @param {Host} host @returns {{reload: () => Promise<void>, element: HTMLDialogElement}} */
export function openPicker(host) {
  styled(STYLE);
  const picker = new Picker(host);
  document.body.append(picker.element);
  picker.element.showModal();
  picker.search.focus();
  picker.reload();
  return picker;
}

class Picker {
  /** @type {import("./rows.js").Row[]} */ rows = [];
  /** @type {import("./rows.js").View} */ view = { words: "", ready: false, commercial: false, column: null, down: false };
  /** @type {import("./rows.js").Row[]} */ visible = [];
  /** The name of the marked row. @type {string|null} */ marked = null;

  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.search = h("input", {
      type: "search", role: "combobox", "aria-haspopup": "grid", "aria-expanded": "true", "aria-controls": "inbetween-models",
      "aria-label": "Search models", placeholder: "Search: name, licence, state, purpose", "data-testid": "model-search",
      autocomplete: "off", spellcheck: "false",
      oninput: () => this.see({ words: this.search.value }),
    });
    const only = (name, label) => {
      const box = h("input", { type: "checkbox", onchange: () => this.see({ [name]: box.checked }) });
      return h("label", {}, box, label);
    };
    const button = (name, label, press) => h("button", { type: "button", "data-testid": name, onclick: press }, label);
    const bar = h(
      "div", { class: "bar" },
      this.search, only("ready", "ready to use"), only("commercial", "hide non-commercial"),
      button("model-refresh", "Refresh", () => this.reload()),
    );
    this.heads = h("tr", {});
    this.body = h("tbody", {});
    this.table = h(
      "div", { class: "scroll", tabindex: "0", "aria-label": "Models" },
      h(
        "table", { id: "inbetween-models", role: "grid", "aria-label": "Models" },
        h("colgroup", {}, ...Object.keys(COLUMNS).map((name) => h("col", { class: name }))), h("thead", {}, this.heads), this.body,
      ),
    );
    this.count = h("div", { class: "count", role: "status" });
    this.details = h("section", { class: "details", "aria-live": "polite", "data-testid": "model-details" });
    this.act = button("model-choose", "Choose", () => this.confirm(true));
    this.act.className = "primary";
    const title = h("h2", { id: "inbetween-models-title" }, "Choose a Model");
    const leave = () => this.element.close();
    const close = h("button", { type: "button", class: "close", "aria-label": "Close", onclick: leave }, "×");
    this.element = h(
      "dialog",
      {
        class: "inbetween-models", "aria-labelledby": "inbetween-models-title", "data-testid": "model-picker",
        onkeydown: (event) => this.press(event), onclose: () => this.element.remove(),
        onpointerdown: (event) => event.target === this.element && this.outside(event) && leave(),
      },
      h("header", {}, title, close),
      bar, this.table, this.count, this.details,
      h("footer", {}, button("model-cancel", "Cancel", leave), this.act),
    );
    for (const name of ["copy", "cut", "paste", "keyup", "keypress"]) {
      this.element.addEventListener(name, (event) => event.stopPropagation()); // ComfyUI would take them for the graph
    }
  }

  /** Ask for the rows anew; what is marked stays marked. */
  async reload() {
    this.count.textContent = "Loading…";
    try {
      this.rows = await this.host.load();
    } catch (error) {
      this.count.textContent = `The list of models could not be loaded: ${error.message}. Refresh tries again.`;
      return this.tell();
    }
    this.marked ??= this.rows.find((row) => isMeant(row, this.host.current()))?.name ?? null;
    this.see({});
  }

  /** @param {Partial<import("./rows.js").View>} change */
  see(change) {
    Object.assign(this.view, change);
    this.visible = shown(this.rows, this.view);
    if (!this.visible.some((row) => row.name === this.marked)) this.marked = this.visible[0]?.name ?? null;
    this.heads.replaceChildren(...Object.entries(COLUMNS).map(([name, column]) => this.head(name, column)));
    this.body.replaceChildren(...this.visible.map((row, index) => this.line(row, index)));
    const all = this.rows.length;
    this.count.textContent = this.visible.length === all ? `${all} models` : `${this.visible.length} of ${all} models`;
    this.mark(this.marked);
  }

  head(name, { title, end }) {
    const { column, down } = this.view;
    const sorted = column === name;
    const turn = () => {
      this.see(sorted && down ? { column: null, down: false } : { column: name, down: sorted });
      this.heads.querySelector(`[data-column=${name}] button`).focus();
    };
    return h(
      "th",
      {
        scope: "col", role: "columnheader", "aria-sort": sorted ? (down ? "descending" : "ascending") : "none", "data-column": name,
        class: end ? "end" : null, title: MEANINGS[name],
      },
      h("button", { type: "button", onclick: turn }, title, h("span", { "aria-hidden": "true" }, sorted ? (down ? " ▼" : " ▲") : "")),
    );
  }

  line(row, index) {
    const cells = Object.entries(COLUMNS).map(([name, { text, end }]) => {
      const title = name === "name" ? row.name : null;
      return h("td", { role: "gridcell", class: end ? `${name} end` : name, title }, text(row));
    });
    return h(
      "tr",
      {
        role: "row", id: `inbetween-model-${index}`, "data-name": row.name, "data-state": row.state,
        class: row.choice === null ? "unusable" : null, "data-restricted": isRestricted(row) || null,
        onclick: () => this.mark(row.name), ondblclick: () => this.confirm(),
      },
      ...cells,
    );
  }

  /** The marked row, if it is shown. */
  get row() {
    return this.visible.find((row) => row.name === this.marked) ?? null;
  }

  /** Mark a row, show it, and tell of it. */
  mark(name) {
    this.marked = name;
    let found = null;
    for (const line of this.body.rows) {
      const is = line.dataset.name === name;
      set(line, { "aria-selected": String(is) });
      if (is) found = line;
    }
    found?.scrollIntoView({ block: "nearest" });
    for (const element of [this.search, this.table]) set(element, { "aria-activedescendant": found?.id ?? null });
    this.tell();
  }

  /** What to know of the marked row before it is chosen. */
  tell() {
    const { row, host } = this;
    if (!row) {
      this.details.replaceChildren(h("p", {}, this.rows.length ? "No model has all of these words." : ""));
      set(this.act, { disabled: true });
      return;
    }
    this.details.replaceChildren(...details(row, host));
    const conversion = row.state === "convert";
    this.act.textContent = conversion ? "Add Convert Model" : row.commercial === false ? "Choose for non-commercial use" : "Choose";
    set(this.act, { disabled: !conversion && (row.choice === null || host.fixed() !== "") });
  }

  /** Choose the marked row; one whose licence is restricted only by the button, which is beside its terms. */
  confirm(byButton = false) {
    const { row } = this;
    if (!row || this.act.disabled) return;
    if (row.state !== "convert" && isRestricted(row) && !byButton) {
      this.details.querySelector(".licence")?.scrollIntoView({ block: "nearest" });
      this.act.focus();
      return;
    }
    this.element.close();
    if (row.state === "convert") this.host.convert(row);
    else this.host.choose(row);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    event.stopPropagation(); // ComfyUI's shortcuts are for the graph
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };
    const inList = event.target === this.search || event.target === this.table;
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps && (inList || event.target === this.act)) this.move(steps[event.key]);
    else if (event.key === "Home" && event.target === this.table) this.move(-Infinity);
    else if (event.key === "End" && event.target === this.table) this.move(Infinity);
    else if (event.key === "Enter" && inList) this.confirm();
    else return;
    event.preventDefault();
  }

  move(step) {
    if (!this.visible.length) return;
    const at = this.visible.findIndex((row) => row.name === this.marked);
    const next = Math.min(Math.max(at + step, 0), this.visible.length - 1);
    this.mark(this.visible[next].name);
    if (document.activeElement === this.act) this.table.focus({ preventScroll: true });
  }

  /** Whether an event is beside the dialog, on its backdrop. */
  outside({ clientX: x, clientY: y }) {
    const box = this.element.getBoundingClientRect();
    return x < box.left || x > box.right || y < box.top || y > box.bottom;
  }
}
