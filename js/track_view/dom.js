/** Creates HTML and SVG elements, and adds style sheets. Knows nothing of tracks. */

const SVG = "http://www.w3.org/2000/svg";

/**
 * An HTML element. Attributes that begin with `on` are listeners; `true` sets an attribute without a value, `false` and
 * `null` omit it.
 * @param {string} tag
 * @param {Object<string, any>} [attributes]
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function h(tag, attributes = {}, ...children) {
  return furnished(document.createElement(tag), attributes, children);
}

/**
 * An SVG element, like `h`.
 * @param {string} tag
 * @param {Object<string, any>} [attributes]
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function s(tag, attributes = {}, ...children) {
  return furnished(document.createElementNS(SVG, tag), attributes, children);
}

/**
 * Sets attributes, as `h` does, on an existing element.
 * @param {Element} element
 * @param {Object<string, any>} attributes
 */
export function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** Add a style sheet to the page, once. @param {string} href  its whole address */
export function styled(href) {
  if (!document.querySelector(`link[href="${href}"]`)) document.head.append(h("link", { rel: "stylesheet", href }));
}

function furnished(element, attributes, children) {
  set(element, attributes);
  element.append(...children);
  return element;
}
