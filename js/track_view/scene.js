/**
 * The editor's inputs besides the document: the number of frames and the matched points.
 *
 * @typedef {object} Scene
 * @property {number} frames  number of output frames, including the first and the last
 * @property {[number, number, number, number][]} matches  x, y on the first frame and x, y on the last, in pixels of the document
 */

/** @returns {Scene} */
export const emptyScene = () => ({ frames: 25, matches: [] });
