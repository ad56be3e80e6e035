/** The words of the editors in the language of the browser. Knows nothing of ComfyUI, nor of what they mean. */

let known = {};

/**
 * Take the words of a language.
 * @param {Object<string, string>} [words]  by the English ones; what is missing stays English
 */
export function learn(words = {}) {
  known = words;
}

/**
 * An English text, in the language. It is written out where it is used: `tests/locales.py` looks for it there.
 * @param {string} text
 * @param {Object<string, string|number>} [values]  what stands for each `{name}` in it
 * @returns {string}
 */
export function word(text, values = {}) {
  return (known[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
