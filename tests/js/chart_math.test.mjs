// Spacing charts as data. The presets are those of the library: both are held to tests/data/charts/presets.json.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { PRESETS, REST, added, blank, drawings, framesOf, moved, newName, parse, places, removed, stringify, ticks } from "../../js/chart_math.js";

const row = (spacing, on = null) => ({ name: "arm", spacing, on });

test("presets are those of the library", () => {
  const known = JSON.parse(readFileSync(new URL("../data/charts/presets.json", import.meta.url)));
  assert.deepEqual(Object.keys(PRESETS), Object.keys(known));
  for (const [name, counts] of Object.entries(known)) {
    for (const wanted of counts) {
      const made = PRESETS[name](wanted.length);
      made.forEach((place, index) => assert.ok(Math.abs(place - wanted[index]) < 1e-9, `${name} ${wanted.length}`));
    }
  }
});

test("a drawing is held as its chart says, or as evenly as fits", () => {
  assert.deepEqual(drawings(row("even", 2), 7), [0, 1, 1, 2, 2, 3, 3]);
  assert.deepEqual(drawings(row([0.2, 0.5, 0.9]), 7), [0, 1, 1, 2, 2, 3, 3]);
  assert.deepEqual(drawings(row([0.2, 0.5], 3), 9), [0, 0, 1, 1, 1, 2, 2, 2, 2]);
  assert.deepEqual(places(row([0.2, 0.5]), 5), [0, 0.2, 0.2, 0.5, 0.5].map((_, k) => [0, 0.2, 0.5][Math.floor(((k + 1) * 3) / 6)]));
  assert.equal(framesOf([0, 1, 1, 2, 1], 1), "2-3, 5");
});

test("ticks are moved, added where they are, and removed", () => {
  assert.deepEqual(moved(row("halves"), 3, 1, 0.61234).spacing, [0.25, 0.612, 0.75]);
  assert.deepEqual(moved(row([0.5]), 3, 0, 1.4).spacing, [1]);
  assert.deepEqual(added(row([0.2, 0.8]), 3, 0.5).spacing, [0.2, 0.5, 0.8]);
  assert.deepEqual(added(row([0.2, 0.5, 0.8]), 3, 0.5).spacing, [0.2, 0.5, 0.8]);
  assert.deepEqual(removed(row([0.2, 0.5, 0.8]), 3, 1).spacing, [0.2, 0.8]);
});

test("a text comes back as it was, with what the view does not show", () => {
  const text = stringify([{ name: REST, spacing: "even", on: 2 }, { name: "arm", spacing: [0.1, 0.9], on: null, more: { mask: "arm.png" } }]);
  assert.equal(stringify(parse(text)), text);
  assert.deepEqual(parse(""), blank());
  assert.deepEqual(parse('{"charts": {"a": "Favor A on twos", "b": ["1/4"]}}').slice(1), [
    { name: "a", spacing: "favour-a", on: 2 }, { name: "b", spacing: [0.25], on: null },
  ]);
  for (const bad of ["x", "[]", '{"charts": {"a": [2]}}', '{"charts": {"a": "no"}}']) assert.throws(() => parse(bad));
  assert.equal(newName(parse('{"charts": {"part 1": "ones"}}')), "part 2");
  assert.deepEqual(ticks(row("even", 2), 7), [0.25, 0.5, 0.75]);
});
