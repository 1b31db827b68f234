/** Images per second, measured on the page from how the stream's count grows. */

/** Long enough that the figure does not jump with every batch, short enough that a change shows while one looks. */
const WINDOW_MS = 10_000;
/** Without a new image for this long, the stream stands still: the rate is 0, not a mean that fades slowly. */
const IDLE_MS = 4_000;

/** Keeps the counts of the last ten seconds. Times are milliseconds of `performance.now()`. */
export class RateMeter {
  /** @type {{images: number, now: number}[]} */
  #samples = [];

  /**
   * @param {number} images how many the stream has so far; fewer than before: it is another stream
   * @param {number} [now]
   */
  add(images, now = performance.now()) {
    const newest = this.#samples.at(-1);
    if (newest && images < newest.images) this.#samples = [];
    if (newest?.images !== images) this.#samples.push({ images, now });
    while (this.#samples.length > 2 && now - this.#samples[0].now > WINDOW_MS) this.#samples.shift();
  }

  /**
   * Null before there are two counts to compare.
   * @param {number} [now]
   * @returns {number | null}
   */
  perSecond(now = performance.now()) {
    const [oldest, newest] = [this.#samples[0], this.#samples.at(-1)];
    if (!newest) return null;
    if (now - newest.now > IDLE_MS) return 0;
    if (newest.now <= oldest.now) return null;
    return ((newest.images - oldest.images) * 1000) / (newest.now - oldest.now);
  }
}
