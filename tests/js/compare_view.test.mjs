// The parts of the comparison that need no browser.
import assert from "node:assert/strict";
import { test } from "node:test";

import { length, profile, stepAt, told, worst } from "../../js/compare_view/clock.js";

const step = (time, duration, psnr = null, error = 0) => ({ time, duration, psnr, error, ssim: null, numbers: [1, 2], files: ["a", "b"] });
const steps = [step(2, 0.5), step(2.5, 0.25, 30, 2), step(2.75, 0.25, 20, 4)];

test("each step is shown for its own time, over and over", () => {
  assert.equal(length(steps), 1);
  assert.deepEqual([0, 0.49, 0.5, 0.74, 0.75, 0.99, 1, 7.6].map((at) => stepAt(steps, at)), [0, 0, 1, 1, 2, 2, 0, 1]);
  assert.equal(stepAt([step(0, 0)], 3), 0);
});

test("the worst step is the one with the lowest PSNR, if any differs", () => {
  assert.equal(worst(steps), 2);
  assert.equal(worst([step(0, 1)]), null);
});

test("the profile is as high as a step differs", () => {
  assert.equal(profile(steps), "M0 1L0.00000 1.0000L0.50000 0.5000L1.00000 0.0000L1 1Z");
  assert.equal(profile(steps.slice(1, 2)), "");
});

test("a step is told in words", () => {
  assert.equal(told(steps[0], 0, 3), "step 0 of 3 · 2.000 s · a 1, b 2 · equal");
  assert.equal(told(steps[1], 1, 3), "step 1 of 3 · 2.500 s · a 1, b 2 · PSNR 30.00 dB · difference 2.00");
});
