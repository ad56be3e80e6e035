/** Which step of a comparison is shown when, and where the steps lie on the slider. Needs no browser. */

/**
 * @typedef {object} Step  what both clips show at once
 * @property {[string, string]} files  the pictures of a and b
 * @property {[number, number]} numbers  the frames of a and b, from 0
 * @property {number} time  in seconds
 * @property {number} duration  in seconds
 * @property {number|null} psnr  in dB; null for equal pictures
 * @property {number} error  mean absolute difference, 0 to 255
 * @property {number|null} ssim  null if it was not measured
 */

/** The seconds that all steps last. @param {Step[]} steps */
export const length = (steps) => (steps.length ? steps.at(-1).time + steps.at(-1).duration - steps[0].time : 0);

/**
 * The step that is shown `seconds` after the first began; the clip starts over at its end.
 * @param {Step[]} steps @param {number} seconds @returns {number}
 */
export function stepAt(steps, seconds) {
  const whole = length(steps);
  if (!(whole > 0)) return 0;
  const time = steps[0].time + (((seconds % whole) + whole) % whole);
  let [low, high] = [0, steps.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (steps[middle].time <= time) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The step with the lowest PSNR, or null if all are equal. @param {Step[]} steps */
export function worst(steps) {
  const differing = steps.flatMap(({ psnr }, index) => (psnr === null ? [] : [index]));
  return differing.length ? differing.reduce((least, index) => (steps[index].psnr < steps[least].psnr ? index : least)) : null;
}

/**
 * How far each step differs, as a path in a box of width 1 and height 1: the more, the higher. Nothing for a single step.
 * @param {Step[]} steps @returns {string}
 */
export function profile(steps) {
  const most = Math.max(...steps.map(({ error }) => error), 1e-9);
  const wide = Math.max(steps.length - 1, 1);
  const places = steps.map(({ error }, index) => `${(index / wide).toFixed(5)} ${(1 - error / most).toFixed(4)}`);
  return places.length > 1 ? `M0 1L${places.join("L")}L1 1Z` : "";
}

/** A step in words. @param {Step} step @param {number} index  from 0 @param {number} count  of all steps */
export function told(step, index, count) {
  const parts = [`step ${index} of ${count}`, `${step.time.toFixed(3)} s`, `a ${step.numbers[0]}, b ${step.numbers[1]}`];
  if (step.psnr === null) parts.push("equal");
  else parts.push(`PSNR ${step.psnr.toFixed(2)} dB`, `difference ${step.error.toFixed(2)}`);
  if (step.ssim !== null && step.psnr !== null) parts.push(`SSIM ${step.ssim.toFixed(4)}`);
  return parts.join(" · ");
}
