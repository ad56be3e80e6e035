// The parts of the track editor that need no browser.
import assert from "node:assert/strict";
import { test } from "node:test";

import { along, blank, checked, newTrack, stringify, times } from "../../js/track_math.js";
import * as edits from "../../js/track_view/edits.js";
import { hitAt, matchAt } from "../../js/track_view/hits.js";
import { lensOf, zoomed } from "../../js/track_view/stage.js";
import { fewest } from "../../js/track_view/stroke.js";

const drawn = (...paths) => paths.reduce((doc, pts) => edits.withTracks(doc, newTrack(doc, pts)), blank([100, 80]));
const places = (doc, id = "1") => edits.trackOf(doc, id).pts.map(([x, y]) => [x, y]);
const look = (more = {}) => ({ active: null, keys: new Set(), zoom: 1, centre: [0.5, 0.5], ...more });

test("a point is moved, and nothing else", () => {
  const doc = drawn([[1, 2], [3, 4]], [[5, 6]]);
  const moved = edits.moved(doc, ["1/1"], { move: [10, 20] });
  assert.deepEqual(places(moved), [[1, 2], [13, 24]]);
  assert.equal(moved.tracks[1], doc.tracks[1]);
  assert.deepEqual(places(doc), [[1, 2], [3, 4]]);
});

test("an id may hold a slash", () => {
  assert.deepEqual(edits.parted(edits.keyOf("a/b", 3)), { id: "a/b", index: 3 });
});

test("a track without points is no track", () => {
  const doc = edits.withoutPoints(drawn([[1, 2], [3, 4]], [[5, 6]]), ["1/0", "2/0"]);
  assert.deepEqual(doc.tracks.map((track) => track.id), ["1"]);
  assert.deepEqual(places(doc), [[3, 4]]);
});

test("what is selected and gone is no longer selected", () => {
  const doc = drawn([[1, 2], [3, 4]]);
  assert.deepEqual([...edits.present(doc, new Set(["1/0", "1/2", "9/0"]))], ["1/0"]);
});

test("a point after the last takes over the end of the clip", () => {
  let doc = edits.withTime(drawn([[0, 0], [9, 9]]), "1", 1, 1);
  doc = edits.withPoint(doc, "1", 2, [20, 20]);
  checked(JSON.parse(stringify(doc)));
  assert.deepEqual(times(doc.tracks[0]), [0, 0.5, 1]);
});

for (const f of [-1, 0, 0.3, 0.999, 1, 2])
  test(`a time of ${f} is kept between its neighbours'`, () => {
    let doc = drawn([[0, 0], [1, 1], [2, 2], [3, 3], [4, 4]]);
    doc = edits.withTime(doc, "1", 3, 0.6);
    doc = edits.withTime(doc, "1", 1, f);
    checked(JSON.parse(stringify(doc)));
    const passed = times(doc.tracks[0]);
    assert.ok(passed.every((time, index) => !index || time > passed[index - 1]), String(passed));
    if (f === 0.3) assert.equal(passed[1], 0.3);
    assert.equal(edits.withTime(doc, "1", 1, null).tracks[0].pts[1][2], null);
  });

test("the first and the last point can be timed too", () => {
  const doc = edits.withTime(edits.withTime(drawn([[0, 0], [1, 1]]), "1", 0, 0.2), "1", 1, 0.1);
  const passed = times(doc.tracks[0]);
  assert.equal(passed[0], 0.2);
  assert.ok(passed[1] > 0.2);
});

test("copies have ids and names of their own", () => {
  const doc = edits.changed(drawn([[0, 0]]), "1", { name: "Hand" });
  const once = edits.withCopies(doc, doc.tracks, [3, 4]);
  const twice = edits.withCopies(once.doc, doc.tracks, [3, 4]);
  assert.deepEqual(twice.doc.tracks.map((track) => track.name), ["Hand", "Hand 2", "Hand 3"]);
  assert.deepEqual(twice.ids, ["3"]);
  assert.deepEqual(places(twice.doc, "3"), [[3, 4]]);
});

test("points lie above curves, and those of the active track above others", () => {
  const doc = drawn([[0, 0], [50, 0]], [[50, 1], [50, 50]]);
  assert.deepEqual(hitAt(doc, look({ active: "1" }), [50, 0.6], 5), { kind: "point", id: "1", index: 1 });
  assert.deepEqual(hitAt(doc, look({ active: "2" }), [50, 0.4], 5), { kind: "point", id: "2", index: 0 });
  assert.deepEqual(hitAt(doc, look(), [25, 2], 5), { kind: "curve", id: "1", index: 0 });
  assert.equal(hitAt(doc, look(), [25, 30], 5), null);
});

test("what is switched off is not hit", () => {
  const doc = edits.changed(drawn([[0, 0], [50, 0]]), "1", { on: false });
  assert.equal(hitAt(doc, look(), [0, 0], 5), null);
});

test("the handles of a point that is selected alone are hit", () => {
  const doc = drawn([[0, 0], [50, 0], [100, 0]]);
  const chosen = look({ active: "1", keys: new Set(["1/1"]) });
  assert.deepEqual(hitAt(doc, chosen, [66, 0], 5), { kind: "handle", id: "1", index: 1, side: "out" });
  assert.deepEqual(hitAt(doc, chosen, [50, 0], 5), { kind: "point", id: "1", index: 1 });
});

test("the nearest match within reach is taken, at the end that is asked for", () => {
  const matches = [[0, 0, 50, 50], [4, 0, 90, 90]];
  assert.equal(matchAt(matches, [3, 0], 5, 0), matches[1]);
  assert.equal(matchAt(matches, [52, 50], 5, 1), matches[0]);
  assert.equal(matchAt(matches, [20, 20], 5, 0), null);
});

test("a straight stroke is two points, a bent one few, at one pace", () => {
  const straight = Array.from({ length: 50 }, (_, index) => [index, 2 * index]);
  assert.deepEqual(fewest(straight, 1), [[0, 0], [49, 98]]);
  const bow = Array.from({ length: 90 }, (_, index) => [80 * Math.cos(index / 30), 80 * Math.sin(index / 30)]);
  const few = fewest(bow, 1);
  assert.ok(few.length > 2 && few.length < 16, String(few.length));
  const at = along(newTrack(blank([1, 1]), few));
  for (let step = 0; step <= 100; step += 1) assert.ok(Math.abs(Math.hypot(...at(step / 100)) - 80) < 1.5);
  const steps = few.slice(1).map(([x, y], index) => Math.hypot(x - few[index][0], y - few[index][1]));
  assert.ok(Math.max(...steps) < 1.1 * Math.min(...steps));
});

test("a stroke of hardly any length is one point, and one of a thousand turns ends", () => {
  assert.equal(fewest([[5, 5], [5.2, 5.1]], 1).length, 1);
  const wild = Array.from({ length: 400 }, (_, index) => [index, 50 * (index % 2)]);
  assert.equal(fewest(wild, 1).length, 24);
});

test("zooming keeps what lies under the pointer", () => {
  const size = [100, 80];
  const before = lensOf(look(), size, 500, 400);
  const place = [20, 70];
  const shown = (lens) => [(place[0] + 0.5) * lens.scale + lens.x, (place[1] + 0.5) * lens.scale + lens.y];
  const after = lensOf({ ...look(), ...zoomed(look(), size, 3, place) }, size, 500, 400);
  assert.ok(Math.abs(after.scale / before.scale - 3) < 1e-9);
  shown(before).forEach((value, axis) => assert.ok(Math.abs(value - shown(after)[axis]) < 1e-9));
});
