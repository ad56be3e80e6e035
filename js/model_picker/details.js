/** What to know of one model before it is chosen: its file, its licence, and what stands in the way. Knows nothing of the table. */

import { h } from "../track_view/dom.js";
import { isRestricted, licenceOf, sizeOf, stateOf } from "./rows.js";

/**
 * @param {import("./rows.js").Row} row
 * @param {import("./dialog.js").Host} host
 * @returns {HTMLElement[]}
 */
export function details(row, host) {
  const hints = [row.hint, coming(row, host), clash(row, host), host.fixed()];
  return [
    h("h3", {}, row.name, h("span", { class: "note" }, stateOf(row))),
    row.suits && h("p", {}, `Good for ${row.suits}.`),
    row.file && file(row),
    row.network && h("p", {}, `Network: ${row.network}.`),
    row.psnr !== null && h("p", {}, `Measured: ${row.psnr.toFixed(2)} dB, ${row.seconds} s per frame of 448x256 on one CPU thread.`),
    row.says && licence(row),
    ...hints.map((hint) => hint && h("p", {}, hint)),
  ].filter(Boolean);
}

function file(row) {
  const there = row.state !== "download" && row.state !== "missing";
  const size = row.size === null ? "" : `, ${sizeOf(row.size)}`;
  return h("p", {}, there ? "File: " : "File, not on disk: ", h("code", {}, row.file), " in ", h("code", {}, row.folder), size);
}

function licence(row) {
  const link = row.url ? h("a", { href: row.url, target: "_blank", rel: "noopener noreferrer" }, "Read the licence") : "";
  const name = h("strong", {}, `Licence: ${licenceOf(row)}. `);
  return h("p", { class: isRestricted(row) ? "licence restricted" : "licence" }, name, `${row.says} `, link);
}

/** What the next run does about a model that is not on disk. */
function coming(row, host) {
  if (row.state !== "download") return "";
  const allowed = host.download();
  const run =
    allowed === undefined
      ? "downloads it if allow download is on, which another node decides."
      : allowed
        ? "downloads it, because allow download is on."
        : "needs allow download, which is off: switch it on first.";
  const unaccepted = isRestricted(row) && host.accepted() === false;
  const accept = unaccepted ? " It needs accept licence too, which is off, unless this server has accepted the licence before." : "";
  return `Choosing it downloads nothing. The next run ${run}${accept}`;
}

/** Why the quality that is set does not go with a model. */
function clash(row, host) {
  const quality = host.quality();
  const alone = ["linear", "draft"].includes(quality) && row.name !== "auto" && row.choice !== null;
  return alone ? `Quality is ${quality}, which uses no network: set it to fast, normal or best for this model.` : "";
}
