/** Limits how often work is done, and waits for what a page has to wait for. */

/**
 * A function that calls `work` with the newest arguments, on an animation frame, at most once in `milliseconds`.
 * A burst of events costs one repaint, and its last state is always painted.
 * @template {unknown[]} Args
 * @param {(...args: Args) => unknown} work
 * @param {number} milliseconds
 * @returns {(...args: Args) => void}
 */
export function throttle(work, milliseconds) {
  /** @type {Args | null} */
  let pending = null;
  let lastRun = -Infinity;
  const run = () => {
    const args = /** @type {Args} */ (pending);
    pending = null;
    lastRun = performance.now();
    work(...args);
  };
  return (...args) => {
    const isScheduled = pending !== null;
    pending = args;
    if (isScheduled) return;
    const remaining = Math.max(0, milliseconds - (performance.now() - lastRun));
    setTimeout(() => requestAnimationFrame(run), remaining);
  };
}

/**
 * Resolves after `milliseconds`, or as soon as the network comes back or `signal` aborts.
 * @param {number} milliseconds
 * @param {AbortSignal} [signal]
 * @returns {Promise<void>}
 */
export function delay(milliseconds, signal) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const timer = setTimeout(finish, milliseconds);
    window.addEventListener("online", finish);
    signal?.addEventListener("abort", finish);
  });
}

/**
 * Resolves once people can see the page, or `signal` aborts.
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
export function untilVisible(signal) {
  return new Promise((resolve) => {
    const check = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", check);
      signal.removeEventListener("abort", check);
      resolve();
    };
    document.addEventListener("visibilitychange", check);
    signal.addEventListener("abort", check);
    check();
  });
}
