/** The bar above the stage: tools, actions on the selection, the overlay of the two frames, and the view. */

import { h, set } from "./dom.js";
import { icon } from "./icons.js";
import { zoomed } from "./stage.js";
import { word } from "../words.js";

/**
 * @param {import("./store.js").Store} store
 * @param {import("./actions.js").Actions} actions
 * @param {import("./pictures.js").Pictures} pictures
 * @param {HTMLElement} root  the element to show full screen
 * @returns {HTMLElement}
 */
export function toolbar(store, actions, pictures, root) {
  const watchers = [];
  const button = (name, label, press, pressed) => {
    const made = h("button", { type: "button", title: label, "aria-label": label, "data-testid": name, onclick: press }, icon(name));
    if (pressed) watchers.push(() => set(made, { "aria-pressed": String(pressed()) }));
    return made;
  };
  const tool = (name, label) => button(name, label, () => actions.choose(name), () => store.look.tool === name);
  const mode = (name, label) => button(name, label, () => store.see({ mode: name }), () => store.look.mode === name);
  const group = (label, ...parts) => h("div", { class: "group", role: "group", "aria-label": label }, ...parts);

  const slider = h("input", {
    type: "range", min: 0, max: 1, step: 0.01, class: "mix-slider", "data-testid": "mix-slider",
    title: word("Mix: left is the first frame, right the last (keys 1, 2, 3)"),
    "aria-label": word("Mix of the first and the last frame"),
    oninput: () => store.see({ mix: Number(slider.value), mode: "mix" }),
  });
  const full = () => (document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen());
  const zoom = (factor) => () => store.see(zoomed(store.look, store.doc.size, factor));

  const onion = group(
    word("Frames"),
    mode("mix", word("Mix both frames (M: next mode)")),
    mode("blink", word("Blink: show the frames in turn (M: next mode)")),
    mode("difference", word("Difference: bright where the frames differ (M: next mode)")),
    slider,
    button(
      "follow",
      word("Follow: show the frame of the point being dragged; fade between the frames during playback"),
      () => store.see({ follow: !store.look.follow, held: null }),
      () => store.look.follow,
    ),
  );
  const changing = group(
    word("Selection"),
    button("duplicate", word("Duplicate the selected tracks (D)"), () => actions.duplicate()),
    button("reverse", word("Reverse the selected tracks in time (R)"), () => actions.reverse()),
    button("copy", word("Copy the selected tracks, or all, as JSON (Ctrl+C)"), () => actions.copy()),
    button("paste", word("Paste tracks (Ctrl+V)"), () => actions.paste()),
    button("remove", word("Delete the selected points, or the track (Delete)"), () => actions.remove()),
  );
  watchers.push(() => {
    slider.value = store.look.held ?? store.look.mix;
    onion.classList.toggle("idle", !pictures.both);
    const { look } = store;
    const nothing = look.keys.size === 0 && !look.active;
    for (const name of ["duplicate", "reverse", "remove"]) {
      set(changing.querySelector(`[data-testid=${name}]`), { disabled: nothing });
    }
  });

  const bar = h(
    "div",
    { class: "toolbar", role: "toolbar", "aria-label": word("Track tools") },
    group(
      word("Tools"),
      tool("select", word("Select and move points and tracks; drag on the picture to select many (V)")),
      tool("pen", word("Draw a track: drag from where it starts to where it ends, or click point by point (A)")),
      tool("freehand", word("Draw a track by hand (F)")),
      tool("anchor", word("Set an anchor, which keeps its spot in place (S)")),
      tool("pan", word("Pan the view (H, or the middle mouse button)")),
    ),
    changing,
    onion,
    group(
      word("View"),
      button("snap", word("Snap to matched points (N)"), () => store.see({ snap: !store.look.snap }), () => store.look.snap),
      button("farther", word("Zoom out (-)"), zoom(0.8)),
      button("closer", word("Zoom in (+)"), zoom(1.25)),
      button("fit", word("Show the whole picture (0)"), () => actions.fit()),
      button("tracks", word("List of tracks"), () => store.see({ listed: !store.look.listed }), () => store.look.listed),
      button("screen", word("Full screen"), full),
    ),
  );
  store.watch(() => watchers.forEach((watcher) => watcher()));
  return bar;
}
