/** What this browser remembers between pages: the stream last looked at, and one that was just deleted. */

const LAST_STREAM = "prequel.stream";
const DELETED_STREAM = "prequel.deleted";

// Browsers may forbid storage, and then throw. The page works without it: it opens on the stream with the newest activity,
// and does not say why a stream is gone.

/** @param {string} name */
export function rememberStream(name) {
  attempt(() => localStorage.setItem(LAST_STREAM, name));
}

/**
 * The stream to open with: the one looked at last if it still exists, else the first; null without any.
 * @param {string[]} names the one with the newest activity first
 * @returns {string | null}
 */
export function chooseInitialStream(names) {
  const last = attempt(() => localStorage.getItem(LAST_STREAM));
  return last && names.includes(last) ? last : (names[0] ?? null);
}

/**
 * Leaves a deleted stream's name to the next page in the same tab.
 * @param {string} name
 */
export function storeDeletedStream(name) {
  attempt(() => sessionStorage.setItem(DELETED_STREAM, name));
}

/**
 * The name that the page before left, once; else null.
 * @returns {string | null}
 */
export function takeDeletedStream() {
  const name = attempt(() => sessionStorage.getItem(DELETED_STREAM));
  attempt(() => sessionStorage.removeItem(DELETED_STREAM));
  return name;
}

/**
 * @template T
 * @param {() => T} access
 * @returns {T | null}
 */
function attempt(access) {
  try {
    return access();
  } catch {
    return null;
  }
}
