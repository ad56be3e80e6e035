/**
 * Addresses of files on the server that change when the file is overwritten under its name. Knows ComfyUI's API, but nothing of
 * graphs or of the editor.
 */

import { api } from "../../scripts/api.js";

const MOST = 64;

/**
 * What is known of each file, the one asked for last at the end: when its address was last new, and the server's tag of it then.
 * @type {Map<string, {since: number, tag: Promise<string|null>}>}
 */
const known = new Map();

/** The tag that the server gives the file of a route now; null if it gives none. */
async function tagOf(route) {
  try {
    const answer = await api.fetchApi(route, { method: "HEAD", cache: "no-store" });
    return answer.headers.get("ETag") ?? answer.headers.get("Last-Modified");
  } catch {
    return null; // the server cannot be reached: nothing is known to have changed
  }
}

/**
 * The address of a file on the server. It stays the same until the file is found to differ.
 *
 * @param {string} route  with a query, such as "/view?filename=a.png"
 * @returns {string}
 */
export function versioned(route) {
  const file = known.get(route) ?? { since: Date.now(), tag: tagOf(route) };
  known.delete(route);
  known.set(route, file);
  if (known.size > MOST) known.delete(known.keys().next().value);
  return api.apiURL(`${route}&version=${file.since}`);
}

/** Ask the server for each file again. */
async function revalidate() {
  for (const [route, file] of [...known]) {
    const [before, now] = await Promise.all([file.tag, tagOf(route)]);
    if (now === null || now === before) continue;
    file.tag = Promise.resolve(now);
    if (before !== null) file.since = Date.now();
  }
}

/* Files change while a person works in another program, and in runs. */
window.addEventListener("focus", revalidate);
for (const end of ["execution_success", "execution_error", "execution_interrupted"]) api.addEventListener(end, revalidate);
