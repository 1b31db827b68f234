/** A canvas to draw on with mouse, finger or pen, and the picture that is made of it. */

import { element } from "./elements.js";

const SIDE = 280;
const STROKE = 26;
const MARGIN = 0.06;
const PICTURE = 32;

/** Events: `begun` at the first touch of a stroke, `lifted` at its end, `cleared`. */
export class Drawing extends EventTarget {
  canvas = element("canvas", { className: "drawing", width: SIDE, height: SIDE, tabIndex: 0, "aria-label": "Draw here with mouse, finger or pen. With a keyboard, upload a picture instead." });
  #ink = this.canvas.getContext("2d", { willReadFrequently: true });
  #last = null;
  empty = true;

  constructor() {
    super();
    this.clear();
    this.canvas.addEventListener("pointerdown", (event) => this.#begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) this.canvas.addEventListener(kind, (event) => this.#end(event));
  }

  clear() {
    this.#ink.fillStyle = "#000";
    this.#ink.fillRect(0, 0, SIDE, SIDE);
    this.empty = true;
    this.dispatchEvent(new Event("cleared"));
  }

  /**
   * The drawing as a small PNG, white on black, cut out and centred: 32x32 pixels, as the digits are streamed.
   */
  async picture() {
    const box = inked(this.#ink.getImageData(0, 0, SIDE, SIDE).data);
    const side = Math.max(box.width, box.height) * (1 + 2 * MARGIN);
    const small = element("canvas", { width: PICTURE, height: PICTURE });
    const paint = small.getContext("2d");
    paint.imageSmoothingQuality = "high";
    paint.fillRect(0, 0, PICTURE, PICTURE);
    const x = box.left + box.width / 2 - side / 2;
    const y = box.top + box.height / 2 - side / 2;
    paint.drawImage(this.canvas, x, y, side, side, 0, 0, PICTURE, PICTURE);
    return new Promise((resolve) => small.toBlob(resolve, "image/png"));
  }

  #at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * SIDE) / box.width, ((event.clientY - box.top) * SIDE) / box.height];
  }

  #begin(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.dispatchEvent(new Event("begun"));
    this.#last = this.#at(event);
    this.#line(this.#last);
    this.empty = false;
  }

  #move(event) {
    if (!this.#last) return;
    const steps = event.getCoalescedEvents?.() ?? [];
    for (const step of steps.length ? steps : [event]) this.#line(this.#at(step));
  }

  #end() {
    if (!this.#last) return;
    this.#last = null;
    this.dispatchEvent(new Event("lifted"));
  }

  #line(to) {
    Object.assign(this.#ink, { strokeStyle: "#fff", lineWidth: STROKE, lineCap: "round", lineJoin: "round" });
    this.#ink.beginPath();
    this.#ink.moveTo(...this.#last);
    this.#ink.lineTo(...to);
    this.#ink.stroke();
    this.#last = to;
  }
}

/** The box around everything that is not black in SIDE x SIDE pixels of RGBA; all of it where nothing is. */
function inked(pixels) {
  let [left, top, right, bottom] = [SIDE, SIDE, -1, -1];
  for (let at = 0; at < SIDE * SIDE; at++) {
    if (pixels[4 * at] < 32) continue;
    const x = at % SIDE;
    const y = (at - x) / SIDE;
    left = Math.min(left, x);
    right = Math.max(right, x);
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
  }
  if (right < 0) return { left: 0, top: 0, width: SIDE, height: SIDE };
  return { left, top, width: right - left + 1, height: bottom - top + 1 };
}
