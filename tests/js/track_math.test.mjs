// What the browser computes is what the library does: tests/test_tracks.py reads the same file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import * as math from "../../js/track_math.js";

const { cases, malformed } = JSON.parse(readFileSync(new URL("../data/tracks/documents.json", import.meta.url), "utf8"));

function close(got, expected, what, tolerance = 1e-6) {
  if (!Array.isArray(expected)) return assert.ok(Math.abs(got - expected) <= tolerance, `${what}: ${got} is not ${expected}`);
  assert.equal(got.length, expected.length, what);
  expected.forEach((one, index) => close(got[index], one, `${what}[${index}]`, tolerance));
}

const paths = (doc, frames) => math.sample(doc, frames).map((one) => one.path);

for (const one of cases)
  test(`places: ${one.name}`, () => {
    const doc = math.checked(one.doc);
    close(paths(doc, one.frames), one.path, "path");
    close(math.sample(doc, one.frames).map((track) => track.visible.map(Number)), one.visible, "visible");
    close(doc.tracks.map(math.times), one.times, "times");
    if (one.reversed) close(paths({ ...doc, tracks: doc.tracks.map(math.reversed) }, one.frames), one.reversed, "reversed");
    if (one.scaled) close(paths(math.scaled(doc, [640, 100]), one.frames), one.scaled, "scaled");
  });

for (const { doc, error } of malformed)
  test(`refused: ${error}`, () => assert.throws(() => math.checked(doc), { message: error }));

test("text that is not valid JSON says where", () => {
  assert.throws(() => math.parse('{"v": 1,\n "size": [8, 8'), /^Error: the tracks are not valid JSON: .*/);
});

test("what is written is read as the same", () => {
  for (const one of cases) {
    const doc = math.checked(one.doc);
    const again = math.parse(math.stringify(doc));
    close(paths(again, one.frames), one.path, one.name, 2e-3);
    assert.deepEqual(again.tracks.map(({ pts, ...rest }) => rest), doc.tracks.map(({ pts, ...rest }) => rest));
  }
  const short = math.checked({ v: 1, size: [8, 8], tracks: [{ pts: [[1.23456, 2], [3, 4, 0.5], [5, 6, null, 1, 1, null, null]] }] });
  assert.deepEqual(JSON.parse(math.stringify(short)).tracks[0].pts, [[1.235, 2], [3, 4, 0.5], [5, 6, null, 1, 1, null, null]]);
});

test("nothing of what is given is changed", () => {
  for (const { doc } of cases) {
    const before = JSON.stringify(doc);
    const read = math.checked(doc);
    read.tracks.forEach((track) => {
      track.pts[0][0] += 1;
      track.span[0] = 1;
    });
    read.size[0] += 1;
    assert.equal(JSON.stringify(doc), before);
  }
});

test("the curve that is drawn is the one that is sampled", () => {
  for (const { doc } of cases)
    for (const track of math.checked(doc).tracks) {
      const numbers = math.pathData(track).match(/-?[\d.]+/g).map(Number);
      const places = math.segments(track);
      close(numbers.slice(0, 2), math.position(track, 0), "start", 2e-3);
      if (places.length) close(numbers.slice(-2), math.position(track, 1), "end", 2e-3);
      assert.equal(places.length, track.pts.length - 1);
    }
});

test("handles are the given ones, else those of the curve; given to the track they change nothing", () => {
  const { tracks } = math.checked(cases.find((one) => one.name === "catmull linear").doc);
  for (const track of tracks) {
    const pts = math.handles(track).map(([into, out], index) => {
      return [...track.pts[index].slice(0, 3), ...(into ?? [null, null]), ...(out ?? [null, null])];
    });
    assert.equal(math.handles(track)[0][0], null);
    for (const t of math.instants(17)) close(math.position({ ...track, pts }, t), math.position(track, t), "place", 1e-9);
  }
});

test("a new track has a free id and the colour of its turn", () => {
  const doc = math.blank([64, 48]);
  for (const id of ["1", "2", "3"]) {
    const track = math.newTrack(doc, [[1, 2]]);
    assert.equal(track.id, id);
    assert.equal(track.color, math.COLORS[Number(id) - 1]);
    doc.tracks.push(track);
  }
  doc.tracks.splice(1, 1);
  assert.equal(math.newTrack(doc, [[1, 2]], { interp: "linear" }).id, "2");
  assert.deepEqual(math.checked(JSON.parse(math.stringify(doc))), doc);
});

test("points are moved, scaled and turned about a place, all or some", () => {
  const [track] = math.checked({ v: 1, size: [9, 9], tracks: [{ pts: [[1, 2, 0, 1, 0, 0, 1], [3, 2]] }] }).tracks;
  close(math.transformed(track, { rotate: 90, about: [1, 2] }).pts.map((p) => p.slice(0, 2)), [[1, 2], [1, 4]], "turned");
  close(math.transformed(track, { rotate: 90 }).pts[0].slice(3), [0, 1, -1, 0], "handles");
  close(math.transformed(track, { scale: [2, 3], move: [1, 1] }).pts[1].slice(0, 2), [7, 7], "scaled, then moved");
  close(math.transformed(track, { move: [5, 5], only: [1] }).pts.map((p) => p.slice(0, 2)), [[1, 2], [8, 7]], "some");
});

test("a stroke is kept within the tolerance, with few points", () => {
  const stroke = Array.from({ length: 200 }, (_, k) => [k, 40 * Math.sin(k / 30)]);
  const few = math.simplified(stroke, 1);
  assert.ok(few.length < 20 && few.length > 5, `${few.length} points`);
  const [track] = math.checked({ v: 1, size: [200, 80], tracks: [{ interp: "linear", pts: few }] }).tracks;
  for (const [x, y] of stroke) {
    const after = few.findIndex((place) => place[0] >= x);
    const [a, b] = [few[Math.max(after - 1, 0)], few[Math.max(after, 1)]];
    const line = a[1] + ((b[1] - a[1]) * (x - a[0])) / (b[0] - a[0]);
    assert.ok(Math.abs(line - y) < 1.6);
  }
  close(math.position(track, 1), stroke.at(-1), "end");
  assert.deepEqual(math.simplified([[0, 0], [5, 0.1], [9, 0]], 1), [[0, 0], [9, 0]]);
  assert.deepEqual(math.simplified([[0, 0], [5, 5], [0, 0]], 1), [[0, 0], [5, 5], [0, 0]]);
});

test("a path is resampled along straight lines", () => {
  close(math.resampled([[0, 0], [10, 0], [10, 10]], 5), [[0, 0], [5, 0], [10, 0], [10, 5], [10, 10]], "path");
  close(math.resampled([[3, 4]], 3), [[3, 4], [3, 4], [3, 4]], "one");
});
