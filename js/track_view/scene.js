/**
 * What the editor is given from outside besides the document: how many frames are made, and the matched points.
 *
 * @typedef {object} Scene
 * @property {number} frames  how many output frames there are, the first and the last among them
 * @property {[number, number, number, number][]} matches  x, y on the first frame and x, y on the last, in pixels of the document
 */

/** @returns {Scene} */
export const emptyScene = () => ({ frames: 25, matches: [] });
