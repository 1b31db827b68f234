/** Stand-ins for what only a browser has: a clock that a test moves, events with a detail, storage. */

/** Replaces timers, animation frames and `performance.now` until `restore`; `advance` runs what falls due. */
export class FakeClock {
  #now = 0;
  #nextId = 1;
  #timers = new Map();
  #originals = {};

  constructor() {
    const fakes = {
      setTimeout: (run, ms = 0) => this.#schedule(run, ms),
      clearTimeout: (id) => this.#timers.delete(id),
      requestAnimationFrame: (run) => this.#schedule(run, 16),
      performance: { now: () => this.#now },
    };
    for (const [name, value] of Object.entries(fakes)) {
      this.#originals[name] = Object.getOwnPropertyDescriptor(globalThis, name);
      Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
    }
  }

  advance(ms) {
    const end = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.#timers.delete(due[0]);
      this.#now = due[1].at;
      due[1].run();
    }
    this.#now = end;
  }

  restore() {
    for (const [name, descriptor] of Object.entries(this.#originals)) {
      if (descriptor) Object.defineProperty(globalThis, name, descriptor);
      else delete globalThis[name];
    }
  }

  #schedule(run, ms) {
    this.#timers.set(this.#nextId, { run, at: this.#now + ms });
    return this.#nextId++;
  }
}

/** The storage of one browser. */
export class FakeStorage {
  #values = new Map();

  getItem(key) {
    return this.#values.get(key) ?? null;
  }

  setItem(key, value) {
    this.#values.set(key, value);
  }

  removeItem(key) {
    this.#values.delete(key);
  }
}

/** Lets everything run that only waits for promises. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
