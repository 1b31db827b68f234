/** A canvas to draw on with mouse, finger or pen, and the picture that is made of it. */

import { element } from "../lib/dom.js";

const SIDE = 280;
const STROKE = 28;
const CUT = 256;
const MARGIN = 0.02;
const SCAN = { cells: 8, side: 32 };

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
   * The drawing as a PNG, white on black, cut out and centred. For a stream of small pictures it is `coarse`: averaged to
   * 8x8 cells and enlarged to 32x32 pixels, as the handwritten digits were scanned. On 300 drawings, features of
   * `compact` and a logistic regression of the 1,797 digits, 94 % are then read right; drawn sharply, 43 %.
   */
  picture(coarse) {
    const cut = this.#cut();
    const made = coarse ? enlarged(averaged(cut)) : cut;
    return new Promise((resolve) => made.toBlob(resolve, "image/png"));
  }

  #cut() {
    const box = inked(this.#ink.getImageData(0, 0, SIDE, SIDE).data);
    const side = Math.max(box.width, box.height) * (1 + 2 * MARGIN);
    const x = box.left + box.width / 2 - side / 2;
    const y = box.top + box.height / 2 - side / 2;
    const [cut, ink] = sheet(CUT);
    ink.drawImage(this.canvas, x, y, side, side, 0, 0, CUT, CUT);
    return cut;
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

function sheet(side) {
  const canvas = element("canvas", { width: side, height: side });
  const ink = canvas.getContext("2d", { willReadFrequently: true });
  ink.imageSmoothingQuality = "high";
  ink.fillRect(0, 0, side, side);
  return [canvas, ink];
}

/** Each cell is the mean of its pixels: browsers differ in how they scale down by much. */
function averaged(cut) {
  const pixels = cut.getContext("2d").getImageData(0, 0, CUT, CUT).data;
  const [small, ink] = sheet(SCAN.cells);
  const cells = ink.getImageData(0, 0, SCAN.cells, SCAN.cells);
  const sums = new Float64Array(SCAN.cells ** 2);
  const size = CUT / SCAN.cells;
  for (let at = 0; at < CUT * CUT; at++) sums[Math.floor(at / CUT / size) * SCAN.cells + Math.floor((at % CUT) / size)] += pixels[4 * at];
  sums.forEach((sum, cell) => cells.data.fill(sum / size ** 2, 4 * cell, 4 * cell + 3));
  ink.putImageData(cells, 0, 0);
  return small;
}

function enlarged(small) {
  const [canvas, ink] = sheet(SCAN.side);
  ink.drawImage(small, 0, 0, SCAN.side, SCAN.side);
  return canvas;
}
