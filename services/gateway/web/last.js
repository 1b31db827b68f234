/** The stream that was looked at last in this browser; where nothing may be kept, none. */

const KEY = "prequel.stream";

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

function remembered() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
