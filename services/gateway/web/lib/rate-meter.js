/** Images per second, measured on the page from how the stream's count grows. */

const SPAN_MS = 10_000;
const QUIET_MS = 4_000;

export class Rate {
  #seen = [];

  add(images, now = performance.now()) {
    if (this.#seen.length && images < this.#seen.at(-1).images) this.#seen = [];
    if (this.#seen.at(-1)?.images !== images) this.#seen.push({ images, now });
    while (this.#seen.length > 2 && now - this.#seen[0].now > SPAN_MS) this.#seen.shift();
  }

  /** Over the last ten seconds; 0 once nothing came for four; null before there is anything to compare. */
  perSecond(now = performance.now()) {
    if (this.#seen.length === 0) return null;
    const first = this.#seen[0];
    const last = this.#seen.at(-1);
    if (now - last.now > QUIET_MS) return 0;
    return last.now > first.now ? ((last.images - first.images) * 1000) / (last.now - first.now) : null;
  }
}
