/** The bar above the stage: tools, actions on the selection, the overlay of the two frames, and the view. */

import { h, set } from "./dom.js";
import { icon } from "./icons.js";
import { zoomed } from "./stage.js";

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
    title: "Mix: left is the first frame, right the last (keys 1, 2, 3)", "aria-label": "Mix of the first and the last frame",
    oninput: () => store.see({ mix: Number(slider.value), mode: "mix" }),
  });
  const full = () => (document.fullscreenElement === root ? document.exitFullscreen() : root.requestFullscreen());
  const zoom = (factor) => () => store.see(zoomed(store.look, store.doc.size, factor));

  const onion = group(
    "Frames",
    mode("mix", "Mix both frames (M: next mode)"),
    mode("blink", "Blink: show the frames in turn (M: next mode)"),
    mode("difference", "Difference: bright where the frames differ (M: next mode)"),
    slider,
    button(
      "follow",
      "Follow: show the frame of the point being dragged; fade between the frames during playback",
      () => store.see({ follow: !store.look.follow, held: null }),
      () => store.look.follow,
    ),
  );
  const changing = group(
    "Selection",
    button("duplicate", "Duplicate the selected tracks (D)", () => actions.duplicate()),
    button("reverse", "Reverse the selected tracks in time (R)", () => actions.reverse()),
    button("copy", "Copy the selected tracks, or all, as JSON (Ctrl+C)", () => actions.copy()),
    button("paste", "Paste tracks (Ctrl+V)", () => actions.paste()),
    button("remove", "Delete the selected points, or the track (Delete)", () => actions.remove()),
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
    { class: "toolbar", role: "toolbar", "aria-label": "Track tools" },
    group(
      "Tools",
      tool("select", "Select and move points and tracks; drag on the picture to select many (V)"),
      tool("pen", "Draw a track: drag from where it starts to where it ends, or click point by point (A)"),
      tool("freehand", "Draw a track by hand (F)"),
      tool("anchor", "Set an anchor, which keeps its spot in place (S)"),
      tool("pan", "Pan the view (H, or the middle mouse button)"),
    ),
    changing,
    onion,
    group(
      "View",
      button("snap", "Snap to matched points (N)", () => store.see({ snap: !store.look.snap }), () => store.look.snap),
      button("farther", "Zoom out (-)", zoom(0.8)),
      button("closer", "Zoom in (+)", zoom(1.25)),
      button("fit", "Show the whole picture (0)", () => actions.fit()),
      button("tracks", "List of tracks", () => store.see({ listed: !store.look.listed }), () => store.look.listed),
      button("screen", "Full screen", full),
    ),
  );
  store.watch(() => watchers.forEach((watcher) => watcher()));
  return bar;
}
