/**
 * Finds the picture that reaches an input of a node before anything runs: walks up the graph's links to the nearest nodes that
 * have a file. Knows ComfyUI's graph, but nothing of the editor, and loads nothing.
 *
 * @typedef {object} Found
 * @property {string} url
 * @property {boolean} video  whether the file is a video, of which one frame is meant
 * @property {boolean} last  whether that is its last frame
 * @property {string} text  which picture this is
 * @property {boolean} exact  whether it reaches the input unchanged
 */

import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { versioned } from "./versions.js";

const IMAGE = /\.(png|jpe?g|webp|gif|bmp|avif)$/i;
const VIDEO = /\.(mp4|m4v|webm|mov|mkv|ogv)$/i;
const NOTE = / \[\w+\]$/;
const FILES = ["image", "file", "video"];
const CARRIED = ["IMAGE", "VIDEO", "*", "COMFY_MATCHTYPE_V3"];
const [NEVER, BYPASS] = [2, 4];

/** Nodes whose files are the pack's own, and where the server shows these. */
const EXAMPLES = new Set(["InbetweenExampleClip", "InbetweenExamplePicture"]);
const ADDRESS = "/inbetween/examples";

/** The id of the node, inside a subgraph, that stands for its inputs. */
const INPUTS = -10;

/** Nodes that hand on the frames they get. */
const PLAIN = new Set(["Reroute", "GetVideoComponents", "CreateVideo"]);

/** Nodes that put their inputs one after another, and a node that turns first and last around. */
const ROWS = new Set(["ImageBatch", "BatchImagesNode"]);
const BACKWARDS = "InbetweenReverseFrames";

/** The index of the input with this name, or -1. */
export const slotOf = (node, name) => node.inputs?.findIndex((input) => input.name === name) ?? -1;

/** Whether an input is linked. Newer front ends warn about `input.link`. */
export function linked(node, name) {
  const slot = slotOf(node, name);
  return slot >= 0 && linkedAt(node, slot);
}

function linkedAt(node, slot) {
  return node.isInputConnected ? node.isInputConnected(slot) : (node.inputs[slot].link ?? null) !== null;
}

/** The link into an input. The node of a subgraph answers `getInputLink` with a link inside it: ask as any other node does. */
function linkInto(node, slot) {
  if (!node.graph) return null; // the node was taken out of its graph, or the graph is being cleared
  const ask = globalThis.LiteGraph?.LGraphNode?.prototype.getInputLink ?? node.getInputLink;
  return ask.call(node, slot);
}

/**
 * The node and the widget that hold the value of a widget; null if another node computes it. A widget that is promoted to the
 * subgraph's node, or linked to a primitive, has its value there.
 * @returns {{node: object, widget: object}|null}
 */
export function holderOfValue(node, name) {
  const held = (holder, widget) => (widget ? { node: holder, widget } : null);
  if (linked(node, name)) {
    const way = resolved(node.graph, linkInto(node, slotOf(node, name)));
    const input = way?.outer?.inputs[way.slot];
    if (input) return holderOfValue(way.outer, input.widget?.name ?? input.name);
    if (way) return way.node.type.startsWith("Primitive") ? held(way.node, way.node.widgets?.[0]) : null;
  }
  return held(node, node.widgets?.find((widget) => widget.name === name));
}

/** The value of a widget, wherever it is held; undefined if another node computes it. */
export const valueOf = (node, name) => holderOfValue(node, name)?.widget.value;

/** The node at the start of a link; `outer` is the node of the subgraph if that start is an input of the subgraph. */
function resolved(graph, link) {
  if (!link || !graph) return null;
  const inside = Number(link.origin_id) !== INPUTS;
  const node = inside && graph.getNodeById(link.origin_id);
  if (inside) return node && { node, slot: link.origin_slot };
  const outer = holderOf(graph);
  return outer?.inputs?.[link.origin_slot] ? { outer, slot: link.origin_slot } : null;
}

/** A node that stands for this subgraph; the first one if there are several. */
function holderOf(graph, within = app.rootGraph ?? app.graph, seen = new Set()) {
  if (!within || seen.has(within)) return null;
  seen.add(within);
  const nodes = within.nodes ?? within._nodes ?? [];
  const holder = nodes.find((node) => node.subgraph === graph);
  if (holder) return holder;
  for (const node of nodes) {
    const found = node.subgraph && holderOf(graph, node.subgraph, seen);
    if (found) return found;
  }
  return null;
}

/** The node whose output reaches an input, through the borders of subgraphs, and the number of that output. */
function origin(node, slot) {
  let way = resolved(node.graph, linkInto(node, slot));
  for (let depth = 0; way && depth < 64; depth += 1) {
    if (way.outer) way = resolved(way.outer.graph, linkInto(way.outer, way.slot));
    else if (way.node.subgraph) way = resolved(way.node.subgraph, outputLink(way.node, way.slot));
    else return way;
  }
  return null;
}

const outputLink = (node, slot) =>
  node.resolveSubgraphOutputLink?.(slot)?.link ?? node.subgraph.getLink?.(node.subgraph.outputs[slot]?.linkIds?.[0]);

/** The slots of inputs through which pictures reach a node. */
function pictureSlots(node) {
  const fits = ({ type }) => String(type).split(",").some((one) => CARRIED.includes(one));
  return (node.inputs ?? []).flatMap((input, slot) => (fits(input) && linkedAt(node, slot) ? [slot] : []));
}

/**
 * The pictures above an input, nearest first.
 *
 * @param {object} node @param {string} name  of the input @param {boolean} last  whether its last frame is meant
 * @returns {Found[]}
 */
export function sources(node, name, last) {
  const found = [];
  const seen = new Set();
  let level = [{ node, slot: slotOf(node, name), last, via: [] }];
  while (level.length) {
    const next = [];
    for (const step of level) {
      const way = step.slot < 0 ? null : origin(step.node, step.slot);
      if (!way || seen.has(way.node) || way.node.mode === NEVER) continue;
      seen.add(way.node);
      const bypassed = way.node.mode === BYPASS;
      const own = bypassed ? null : ownPicture(way.node, step.last);
      if (own) found.push({ ...own, text: `${own.text}${before(step.via)}`, exact: own.exact && step.via.length === 0 });
      const via = bypassed || PLAIN.has(way.node.type) ? step.via : [way.node.title || way.node.type, ...step.via];
      const slots = pictureSlots(way.node);
      if (step.last && ROWS.has(way.node.type)) slots.reverse();
      const turned = way.node.type === BACKWARDS && !bypassed ? !step.last : step.last;
      next.push(...slots.map((slot) => ({ node: way.node, slot, last: turned, via })));
    }
    level = next;
  }
  return found;
}

/** "before Upscale Image": the changes between a picture and the input that it reaches. */
function before(via) {
  if (!via.length) return "";
  return `, before ${via[0]}${via.length > 1 ? ` and ${via.length - 1} more` : ""}`;
}

/** What the last run of a node told the browser. ComfyUI keeps it while a workflow is open, even in another tab of the page. */
export function lastOutput(node) {
  const outputs = app.nodeOutputs ?? {};
  return outputs[`${node.graph?.id}:${node.id}`] ?? outputs[node.id];
}

/** The picture that a node loads, or the one that its last run left. */
function ownPicture(node, last) {
  for (const name of FILES) {
    const entry = valueOf(node, name);
    const made = typeof entry === "string" ? picture({ ...fileOf(entry), example: isExample(node) }, last) : null;
    const cut = ["skip_first_frames", "frame_load_cap"].some((part) => Number(valueOf(node, part)) > 0);
    if (made) return { ...made, exact: !cut };
  }
  const made = lastOutput(node)?.images?.at(last ? -1 : 0);
  const text = `last run of ${node.title || node.type}`;
  const shown = made ? picture(made, last) : null;
  if (shown) return { ...shown, text: made.type === "input" ? shown.text : text, exact: false };
  const url = node.imgs?.at(last ? -1 : 0)?.src;
  return url ? { url, video: false, last, text, exact: false } : null;
}

/** The picture in a file on the server; null if a browser cannot show that kind. @param {{filename: string}} file */
export function picture(file, last) {
  const video = VIDEO.test(file.filename);
  if ((!video && !IMAGE.test(file.filename)) || /^([/\\]|\w:)/.test(file.subfolder ?? "")) return null;
  const which = video ? `, ${last ? "last" : "first"} frame` : "";
  return { url: viewUrl(file), video, last, text: `${file.filename}${which}` };
}

/** The file of an entry such as "folder/name.png [output]" in a widget that lists files. */
function fileOf(entry) {
  const type = NOTE.exec(entry)?.[0].slice(2, -1) ?? "input";
  const path = entry.replace(NOTE, "");
  const slash = path.lastIndexOf("/");
  return { filename: path.slice(slash + 1), subfolder: slash === 0 ? "/" : path.slice(0, Math.max(slash, 0)), type };
}

/** Whether a node gives a file that comes with the pack. */
export const isExample = (node) => EXAMPLES.has(node.comfyClass ?? node.type);

/** The address of a file on the server, another one once the file is overwritten; `example` if it comes with the pack. */
export const viewUrl = ({ filename, subfolder = "", type = "input", example = false }) =>
  example
    ? api.fileURL(`${ADDRESS}/${encodeURIComponent(filename)}`)
    : versioned(`/view?${new URLSearchParams({ filename, subfolder, type })}`);

/** All that decides what reaches an input, as text: it differs if a node, a value or a link above the input differs. */
export function signature(node, name) {
  const seen = new Set();
  const parts = [];
  const open = [[node, slotOf(node, name)]];
  while (open.length) {
    const [below, slot] = open.pop();
    const way = slot < 0 ? null : origin(below, slot);
    parts.push(way ? `${below.id}.${slot}<${way.node.graph?.id}/${way.node.id}.${way.slot}` : `${below.id}.${slot}<`);
    if (!way || seen.has(way.node)) continue;
    seen.add(way.node);
    const saved = (way.node.widgets ?? []).filter((widget) => widget.serialize !== false && widget.options?.serialize !== false);
    const values = saved.map((widget) => [widget.name, valueOf(way.node, widget.name)]);
    parts.push(`${way.node.type} ${way.node.mode} ${JSON.stringify(values)}`);
    (way.node.inputs ?? []).forEach((_, index) => linkedAt(way.node, index) && open.push([way.node, index]));
  }
  return parts.join("\n");
}
