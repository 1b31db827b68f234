/** The gallery of predictions: live, filtered, held still while somebody looks, walked with the arrow keys. */

import { write } from "../lib/dom.js";
import { paced, pause } from "../lib/throttle.js";
import { Tile } from "../components/tile.js";
import { count, took } from "../lib/format.js";

const MOST_TILES = 60;
const ROWS = { narrow: 4, wide: 5 };
const FLUSH_MS = 600;
const REFETCH_MS = 2500;
const PATIENCE_MS = 1500;
const TOUCH_HOLD_MS = 5000;

export class Gallery {
  #api;
  #parts;
  #filters;
  #onOpen;
  #stream = null;
  #turn = 0;
  #current = false;
  #due = false;
  #tiles = [];
  #coming = [];
  #arrived = [];
  #holds = new Set();
  #touch = null;
  #shownColumns = 0;
  #flush = paced(() => this.#takeArrived(), FLUSH_MS);
  #refetch = paced(() => this.refresh(), REFETCH_MS);

  /** `parts`: {tiles, note, empty} elements; `onOpen(prediction)` is called for a click or Enter. */
  constructor(api, parts, filters, onOpen) {
    this.#api = api;
    this.#parts = parts;
    this.#filters = filters;
    this.#onOpen = onOpen;
    filters.addEventListener("change", () => this.#restart());
    filters.addEventListener("hold", () => this.#hold("button", filters.held));
    parts.tiles.addEventListener("click", (event) => this.#clicked(event));
    parts.tiles.addEventListener("keydown", (event) => this.#walked(event));
    this.#holdWhileLooking(parts.tiles);
    new ResizeObserver(() => this.#resized()).observe(parts.tiles);
  }

  reset(stream) {
    this.#stream = stream;
    this.#restart();
  }

  /** A prediction as it happens. */
  add(prediction) {
    if (!this.#filters.live) return this.#refetch();
    if (!this.#filters.accepts(prediction)) return;
    this.#arrived.unshift(prediction);
    this.#arrived.length = Math.min(this.#arrived.length, MOST_TILES);
    this.#flush();
  }

  /** An outcome as it happens: the truth of its image. */
  settle(outcome) {
    if (took(outcome)) {
      for (const tile of [...this.#tiles, ...this.#coming]) if (tile.prediction.id === outcome.id) tile.tell(outcome.label);
      for (const one of this.#arrived) if (one.id === outcome.id) one.truth = outcome.label;
    }
    if (!this.#filters.live) this.#refetch();
  }

  /** Fetches what the filter asks for; what is held still, and is of this filter, only once it is let go. */
  async refresh() {
    const turn = ++this.#turn;
    this.#due = this.#current && this.#holds.size > 0;
    if (this.#stream === null || this.#due) return;
    this.#arrived = [];
    const found = await this.#api.predictions(this.#stream, this.#filters.query(MOST_TILES)).catch((problem) => problem);
    if (turn !== this.#turn) return;
    if (found instanceof Error) return this.#say(found.message), this.#refetch();
    this.#current = true;
    this.#replace(found.map((one) => this.#tileOf(one)));
    this.#say("");
  }

  /** The prediction `step` places after `id` as they stand, or null. */
  neighbour(id, step) {
    const at = this.#tiles.findIndex((tile) => tile.prediction.id === id);
    return (at >= 0 && this.#tiles[at + step]?.prediction) || null;
  }

  /** Nothing moves while a dialog is open over it. */
  hold(reason, held) {
    this.#hold(reason, held);
  }

  focus(id) {
    this.#tiles.find((tile) => tile.prediction.id === id)?.button.focus();
  }

  #restart() {
    this.#arrived = [];
    this.#coming = [];
    this.#current = false;
    this.#replace([]);
    this.#holds.delete("focus"); // It went with its tile, and no event tells of that.
    this.refresh();
  }

  /** New tiles come in once their images are loaded, so that nothing flickers. */
  async #takeArrived() {
    if (this.#coming.length) return;
    if (this.#holds.size) return this.#say(`Held still while you look: ${count(this.#arrived.length)}${this.#arrived.length === MOST_TILES ? " or more" : ""} new.`);
    const coming = this.#unseen(this.#arrived).slice(0, this.#capacity()).map((one) => this.#tileOf(one));
    [this.#arrived, this.#coming] = [[], coming];
    this.#say("");
    await Promise.race([Promise.all(coming.map((tile) => tile.loaded)), pause(PATIENCE_MS)]);
    if (this.#coming !== coming) return;
    this.#coming = [];
    if (this.#holds.size) this.#arrived.push(...coming.map((tile) => tile.prediction));
    else this.#bringIn(coming);
    if (this.#arrived.length) this.#flush();
  }

  /** While their images were loading, a fetch may have brought some of them. */
  #bringIn(coming) {
    const unseen = new Set(this.#unseen(coming.map((tile) => tile.prediction)));
    if (unseen.size) this.#replace([...coming.filter((tile) => unseen.has(tile.prediction)), ...this.#tiles]);
  }

  /** Those that no tile shows yet, each once. */
  #unseen(predictions) {
    const seen = new Set(this.#tiles.map((tile) => tile.prediction.id));
    return predictions.filter(({ id }) => !seen.has(id) && seen.add(id));
  }

  /** Shows exactly these, in whole rows, so that the edge is straight. */
  #replace(tiles) {
    const shown = tiles.slice(0, this.#capacity());
    for (const tile of this.#tiles) if (!shown.includes(tile)) tile.root.remove();
    this.#tiles = shown;
    let next = this.#parts.tiles.firstElementChild;
    for (const tile of shown) {
      if (tile.root === next) next = next.nextElementSibling;
      else this.#parts.tiles.insertBefore(tile.root, next);
    }
    this.#parts.empty.hidden = shown.length > 0;
    write(this.#parts.empty, this.#filters.emptyText(this.#stream));
    this.#rove();
  }

  /** The tile that shows a prediction already, brought up to date, or a new one. */
  #tileOf(prediction) {
    const tile = this.#tiles.find(({ prediction: shown }) => shown.id === prediction.id && shown.image === prediction.image);
    if (!tile) return new Tile(prediction, (id, size) => this.#api.imageUrl(this.#stream, id, size), this.#filters.model);
    tile.show(prediction);
    return tile;
  }

  #columns() {
    return getComputedStyle(this.#parts.tiles).gridTemplateColumns.split(" ").length;
  }

  #capacity() {
    const columns = this.#columns();
    const rows = columns < 6 ? ROWS.narrow : ROWS.wide;
    return Math.min(MOST_TILES, columns * rows);
  }

  #resized() {
    if (this.#columns() === this.#shownColumns) return;
    this.#shownColumns = this.#columns();
    this.#refetch();
  }

  #clicked(event) {
    const id = event.target.closest(".tile")?.dataset.id;
    if (id !== undefined) this.#onOpen(this.#tiles.find((tile) => tile.prediction.id === id).prediction);
  }

  #walked(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.#columns(), ArrowUp: -this.#columns() }[event.key];
    const buttons = this.#tiles.map((tile) => tile.button);
    const target = { Home: buttons[0], End: buttons.at(-1) }[event.key] ?? buttons[buttons.indexOf(event.target) + step];
    if (!target) return;
    event.preventDefault();
    target.focus();
  }

  /** One tile can be tabbed to: the one last walked to, else the first. */
  #rove() {
    const buttons = this.#tiles.map((tile) => tile.button);
    const current = buttons.find((button) => button === document.activeElement) ?? buttons[0];
    for (const button of buttons) button.tabIndex = button === current ? 0 : -1;
  }

  #holdWhileLooking(tiles) {
    tiles.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && this.#hold("pointer", true));
    tiles.addEventListener("pointerleave", () => this.#hold("pointer", false));
    tiles.addEventListener("focusin", () => (this.#hold("focus", true), this.#rove()));
    tiles.addEventListener("focusout", () => this.#hold("focus", false));
    tiles.addEventListener("touchstart", () => this.#holdForTouch(), { passive: true });
  }

  #holdForTouch() {
    clearTimeout(this.#touch);
    this.#hold("touch", true);
    this.#touch = setTimeout(() => this.#hold("touch", false), TOUCH_HOLD_MS);
  }

  #hold(reason, held) {
    if (held) this.#holds.add(reason);
    else this.#holds.delete(reason);
    if (this.#holds.size) return;
    if (this.#due) this.refresh();
    else if (this.#filters.live) this.#flush();
    else this.#refetch();
  }

  #say(text) {
    write(this.#parts.note, text || this.#filters.note);
  }
}

