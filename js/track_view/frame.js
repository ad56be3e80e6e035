/** Draws the first or the last frame of a video, by the browser. Knows nothing of tracks. */

import { word } from "../words.js";

const PATIENCE = 30_000;
const MOST = 32;

/** @type {Map<string, {url: string|null, error: string|null}>} */
const drawn = new Map();

/**
 * The picture of a frame: `url` once it is drawn, `error` if the browser cannot, and neither before; `ready` is called then.
 *
 * @param {string} video  its address
 * @param {boolean} last  whether the last frame is wanted, else the first
 * @param {() => void} ready
 * @returns {{url: string|null, error: string|null}}
 */
export function frameOf(video, last, ready) {
  const key = `${last} ${video}`;
  const known = drawn.get(key);
  if (known) return known;
  const frame = { url: null, error: null };
  drawn.set(key, frame);
  if (drawn.size > MOST) {
    const [oldest, { url }] = drawn.entries().next().value;
    drawn.delete(oldest);
    if (url) URL.revokeObjectURL(url);
  }
  draw(video, last)
    .then((url) => (frame.url = url), (error) => (frame.error = error.message))
    .then(ready);
  return frame;
}

async function draw(address, last) {
  const video = document.createElement("video");
  const heard = (name) =>
    new Promise((done, fail) => {
      const late = setTimeout(() => fail(new Error(word("the browser took too long"))), PATIENCE);
      const settle = (end, value) => () => (clearTimeout(late), end(value));
      video.addEventListener(name, settle(done), { once: true });
      video.addEventListener("error", settle(fail, new Error(word("the browser cannot show this video"))), { once: true });
    });
  Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
  try {
    const loaded = heard("loadeddata");
    video.src = address;
    await loaded;
    if (last) {
      const sought = heard("seeked");
      video.currentTime = Number.isFinite(video.duration) ? video.duration : Number.MAX_SAFE_INTEGER;
      await sought;
    }
    if (!video.videoWidth) throw new Error(word("the browser shows no picture of this video"));
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    const blob = await new Promise((done) => canvas.toBlob(done));
    if (!blob) throw new Error(word("the frame is too large for the browser"));
    return URL.createObjectURL(blob);
  } finally {
    video.removeAttribute("src");
    video.load();
  }
}
