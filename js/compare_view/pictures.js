/** Loads the pictures of a comparison: those of the step shown and of the next few. Keeps a bounded number decoded. */

const AHEAD = 6;
const MOST = 40;

export class Pictures {
  /** @type {Map<string, {image: HTMLImageElement, state: "loading"|"ready"|"failed"}>} */
  #held = new Map();

  /** @param {() => void} changed  called whenever a picture is ready or has failed */
  constructor(changed) {
    this.changed = changed;
  }

  /**
   * The pictures of a step, as far as they are ready; begins to load them, and those of the next steps.
   * @param {import("./clock.js").Step[]} steps @param {number} index @param {(name: string) => string} urlOf
   * @returns {{images: HTMLImageElement[]|null, failed: boolean}}  `images` is null until both are ready
   */
  of(steps, index, urlOf) {
    const wanted = steps[index].files.map((name) => this.#get(name, urlOf));
    for (let ahead = 1; ahead <= Math.min(AHEAD, steps.length - 1); ahead += 1) {
      steps[(index + ahead) % steps.length].files.forEach((name) => this.#get(name, urlOf));
    }
    for (const name of this.#held.keys()) {
      if (this.#held.size <= MOST) break;
      this.#drop(name);
    }
    const ready = wanted.every(({ state }) => state === "ready");
    return { images: ready ? wanted.map(({ image }) => image) : null, failed: wanted.some(({ state }) => state === "failed") };
  }

  /** Let go of all pictures. */
  clear() {
    [...this.#held.keys()].forEach((name) => this.#drop(name));
  }

  #get(name, urlOf) {
    const known = this.#held.get(name);
    if (known) {
      this.#held.delete(name); // to the end: the first ones are dropped
      this.#held.set(name, known);
      return known;
    }
    const held = { image: new Image(), state: "loading" };
    this.#held.set(name, held);
    const settle = (state) => () => {
      if (this.#held.get(name) !== held) return;
      held.state = state;
      this.changed();
    };
    held.image.src = urlOf(name);
    held.image.decode().then(settle("ready"), settle("failed"));
    return held;
  }

  #drop(name) {
    const { image } = this.#held.get(name);
    this.#held.delete(name);
    image.removeAttribute("src");
  }
}
