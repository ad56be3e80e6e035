/** Attaches the track editor to its node: the only module that knows ComfyUI. */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { chain, keepTouches, takePlace, viewWidget } from "./dom_widget.js";
import { changing } from "./graph.js";
import { linked, picture, signature, sources, valueOf, viewUrl } from "./sources.js";
import { TrackView } from "./track_view.js";
import { word } from "./words.js";
import { frameOf } from "./track_view/frame.js";

const NODE = "InbetweenTrackEditor";
const WIDGET = "INBETWEEN_DRAWN_TRACKS";
const SIZE = [740, 720];
const HEIGHT = 340;
const GLANCE = 400;
const ENDS = ["first", "last"];
const CHOSEN = "inbetween_pictures";
const FOLDER = "inbetween";

/**
 * The last state of each editor, for the lifetime of the page: undo recreates nodes, and zoom and selection do not belong in a
 * workflow.
 *
 * `seen` is what its last run told, `asSeen` the signatures of its pictures as they were then, and `queued` those of what was
 * queued last.
 * @type {Map<string, {look?: import("./track_view/store.js").Look, focused?: boolean, seen?: object,
 *                     asSeen?: Object<string, string>, queued?: Object<string, string>}>}
 */
const memory = new Map();

app.registerExtension({
  name: "Inbetween.TrackEditor",

  getCustomWidgets: () => ({
    [WIDGET](node, name) {
      const save = (text) => changing(() => (widget.value = text));
      const view = new TrackView(save, (end, file) => choose(node, view, end, file));
      const widget = viewWidget(node, name, WIDGET, view, HEIGHT);
      attend(node, view);
      return { widget };
    },
  }),

  setup: () => keepTouches("inbetween-tracks"),

  nodeCreated(node) {
    if (node.comfyClass === NODE) node.setSize([Math.max(node.size[0], SIZE[0]), Math.max(node.size[1], SIZE[1])]);
  },
});

/** Keep a view up to date with its node. Polls, because links, uploads and undo share no event. */
function attend(node, view) {
  const key = () => `${node.graph?.id}/${node.id}`;
  const remembered = () => memory.get(key()) ?? memory.set(key(), {}).get(key());
  let known = null;

  const glance = () => {
    if (node.graph) takePlace(node, view.element, ".inbetween-tracks");
    if (!view.element.isConnected) return;
    const kept = remembered();
    if (known !== key()) {
      known = key();
      if (kept.look) view.look = kept.look;
      if (kept.seen) found(kept.seen);
      if (kept.focused && document.activeElement === document.body) view.element.focus({ preventScroll: true });
    }
    kept.look = { ...view.look };
    kept.focused = view.element.contains(document.activeElement);
    view.show(Object.fromEntries(ENDS.map((end) => [end, shown(node, kept, end, glance)])));
    view.frames = linked(node, "frames") ? kept.seen?.frames?.[0] : valueOf(node, "frames");
    const size = [valueOf(node, "width"), valueOf(node, "height")];
    if (!view.pictures.measure && size.every((side) => side > 0)) view.resize(size);
  };
  const found = ({ matches, size }) => matches && size && view.setMatches(matches, size);
  const timer = setInterval(glance, GLANCE);
  requestAnimationFrame(glance);
  const signatures = () => Object.fromEntries(ENDS.map((end) => [end, signature(node, end)]));
  const queued = () => (remembered().queued = signatures());
  api.addEventListener("promptQueued", queued);

  chain(node, "onRemoved", () => {
    clearInterval(timer);
    api.removeEventListener("promptQueued", queued);
  });
  chain(node, "onConnectionsChange", () => requestAnimationFrame(glance));
  chain(node, "onExecuted", (output) => {
    const kept = remembered();
    Object.assign(kept, { seen: output, asSeen: kept.queued ?? signatures() });
    found(output ?? {});
    glance();
  });
}

/**
 * What to show for an end of the clip: a chosen file; else the picture that gets there unchanged; else that of the last run, if the
 * graph is as it was; else the nearest one above.
 * @returns {import("./track_view/pictures.js").Source}
 */
function shown(node, kept, end, ready) {
  const last = end === "last";
  const connected = linked(node, end);
  const chosen = node.properties?.[CHOSEN]?.[end];
  if (chosen) {
    const drawn = drawnOf(picture(chosen, last), ready);
    const cropped = !ENDS.some((one) => linked(node, one));
    const told = { file: drawn.text };
    const text = connected
      ? word("{file}: chosen here, not the connected picture", told)
      : cropped ? word("{file}: chosen here, cropped to width and height", told) : word("{file}: chosen here", told);
    return { ...drawn, text, chosen: true, cropped };
  }
  if (!connected) return { url: null, text: word("not connected") };
  const above = sources(node, end, last);
  const run = ran(node, kept, end);
  const fresh = run && !run.stale ? [run] : [];
  const stale = run?.stale ? [run] : [];
  const failed = [];
  const [exact, other] = [above.filter((one) => one.exact), above.filter((one) => !one.exact)];
  for (const candidate of [...exact, ...fresh, ...other, ...stale]) {
    const drawn = drawnOf(candidate, ready);
    if (!drawn.error) return { ...drawn, text: [drawn.text, ...failed].join("; "), stale: candidate.stale };
    failed.push(drawn.text);
  }
  return { url: null, text: failed.join("; ") || word("seen after a run") };
}

/** The address of a picture, which for a video is that of a frame drawn by the browser. */
function drawnOf(found, ready) {
  if (!found?.video) return { url: found?.url ?? null, text: found?.text ?? word("not a picture"), error: found ? null : "none" };
  const { url, error } = frameOf(found.url, found.last, ready);
  if (error) return { url: null, text: `${found.text}: ${error}`, error };
  return { url, text: url ? found.text : word("{file}: being drawn", { file: found.text }), error: null };
}

/** The picture that a run left in the temporary folder; `stale` if the graph above that input has changed since. */
function ran(node, kept, end) {
  const file = kept.seen?.[end]?.[0];
  if (!file) return null;
  const stale = kept.asSeen?.[end] !== signature(node, end);
  return { url: viewUrl(file), stale, text: stale ? word("last run, before the graph changed") : word("last run") };
}

/** Upload a file and draw on it; null to draw on the connected picture again. The file's name is saved in the workflow. */
async function choose(node, view, end, file) {
  let entry = null;
  if (file) {
    if (!picture({ filename: file.name })) return view.say(word("{file} is not an image or a video that a browser shows.", { file: file.name }));
    const body = new FormData();
    body.append("image", file);
    body.append("type", "input");
    body.append("subfolder", FOLDER);
    try {
      const answer = await api.fetchApi("/upload/image", { method: "POST", body });
      if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`);
      const { name, subfolder = "", type = "input" } = await answer.json();
      entry = { filename: name, subfolder, type };
    } catch (error) {
      return view.say(word("{file} could not be uploaded: {why}", { file: file.name, why: error.message }));
    }
  }
  changing(() => {
    node.properties ??= {};
    const { [end]: _, ...others } = node.properties[CHOSEN] ?? {};
    node.properties[CHOSEN] = entry ? { ...others, [end]: entry } : others;
    if (!Object.keys(node.properties[CHOSEN]).length) delete node.properties[CHOSEN];
  });
}
