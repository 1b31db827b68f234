/** The stream that was looked at last in this browser; where nothing may be kept, none. */

const KEY = "prequel.stream";
const DELETED = "prequel.deleted";

export function remember(name) {
  try {
    localStorage.setItem(KEY, name);
  } catch {
    // Browsers may forbid it: then the page opens on the stream with the newest activity.
  }
}

/** That one if it is still there, else the first of `names`: the one with the newest activity. */
export function opening(names) {
  return names.includes(remembered()) ? remembered() : (names[0] ?? null);
}

/** Leaves a name to the page that comes after this one in the same tab. */
export function leaveDeleted(name) {
  try {
    sessionStorage.setItem(DELETED, name);
  } catch {
    // Then the next page is only empty, and does not say why.
  }
}

/** What was left by the page before, once; else null. */
export function takeDeleted() {
  try {
    const name = sessionStorage.getItem(DELETED);
    sessionStorage.removeItem(DELETED);
    return name;
  } catch {
    return null;
  }
}

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
