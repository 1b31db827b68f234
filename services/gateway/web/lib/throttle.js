/** Keeps work to what a screen can show. */

/** Calls `work` with the newest arguments, on an animation frame, at most once in `milliseconds`. */
export function paced(work, milliseconds) {
  let newest = null;
  let scheduled = false;
  let last = -Infinity;
  const run = () => {
    scheduled = false;
    last = performance.now();
    work(...newest);
  };
  return (...given) => {
    newest = given;
    if (scheduled) return;
    scheduled = true;
    const rest = Math.max(0, milliseconds - (performance.now() - last));
    setTimeout(() => requestAnimationFrame(run), rest);
  };
}

/** Resolves after `milliseconds`, or as soon as the network comes back or `signal` aborts. */
export function pause(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    window.addEventListener("online", done);
    signal?.addEventListener("abort", done);
  });
}

/** Resolves once people can see the page, or `signal` aborts. */
export function shown(signal) {
  return new Promise((resolve) => {
    const look = () => {
      if (document.hidden && !signal.aborted) return;
      document.removeEventListener("visibilitychange", look);
      signal.removeEventListener("abort", look);
      resolve();
    };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look);
    look();
  });
}
