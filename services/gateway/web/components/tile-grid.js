/** The grid of tiles: whole rows of them, walked with the arrow keys. */

import { targetElement } from "../lib/dom.js";

/** @import { Prediction } from "../api/types.js" */
/** @import { Tile } from "./tile.js" */

/** More tiles nobody looks through, and each is an image to load. */
export const MAX_TILES = 60;
/** On a phone five rows would push the rest of the page far down. */
const ROWS = { narrow: 4, wide: 5 };
const WIDE_FROM_COLUMNS = 6;

/** Events: `open` (detail: Prediction) for a click or Enter, `resize` when there is room for more or fewer columns. */
export class TileGrid extends EventTarget {
  #list;
  #shownColumns = 0;
  /** What is shown, in order. @type {Tile[]} */
  tiles = [];

  /** @param {HTMLElement} list whose columns CSS lays out */
  constructor(list) {
    super();
    this.#list = list;
    list.addEventListener("click", (event) => this.#onClick(event));
    list.addEventListener("keydown", (event) => this.#onKey(event));
    list.addEventListener("focusin", () => this.#updateTabOrder());
    new ResizeObserver(() => this.#onResize()).observe(list);
  }

  /** How many tiles fit. */
  get capacity() {
    const columns = this.#columnCount();
    return Math.min(MAX_TILES, columns * (columns < WIDE_FROM_COLUMNS ? ROWS.narrow : ROWS.wide));
  }

  /**
   * Shows the first of these, in whole rows, so that the edge is straight. Tiles that stay are not touched: taken out and
   * put in again, they would lose the focus.
   * @param {Tile[]} tiles
   */
  show(tiles) {
    const shown = tiles.slice(0, this.capacity);
    for (const tile of this.tiles) if (!shown.includes(tile)) tile.root.remove();
    this.tiles = shown;
    let next = this.#list.firstElementChild;
    for (const tile of shown) {
      if (tile.root === next) next = next.nextElementSibling;
      else this.#list.insertBefore(tile.root, next);
    }
    this.#updateTabOrder();
  }

  /**
   * Those that no tile shows yet, each once.
   * @param {Prediction[]} predictions
   * @returns {Prediction[]}
   */
  notShown(predictions) {
    const ids = new Set(this.tiles.map((tile) => tile.prediction.id));
    return predictions.filter(({ id }) => !ids.has(id) && ids.add(id));
  }

  /**
   * The tile of the same image, if one is shown. The same id with another image: the stream was deleted and has begun
   * again.
   * @param {Prediction} prediction
   * @returns {Tile | undefined}
   */
  findTile({ id, image }) {
    return this.tiles.find(({ prediction }) => prediction.id === id && prediction.image === image);
  }

  /**
   * The prediction some places after another one as they stand, or null.
   * @param {string} id
   * @param {number} offset
   * @returns {Prediction | null}
   */
  neighbour(id, offset) {
    const index = this.tiles.findIndex((tile) => tile.prediction.id === id);
    return (index >= 0 && this.tiles[index + offset]?.prediction) || null;
  }

  /** @param {string} id */
  focus(id) {
    this.tiles.find((tile) => tile.prediction.id === id)?.button.focus();
  }

  #columnCount() {
    return getComputedStyle(this.#list).gridTemplateColumns.split(" ").length;
  }

  #onResize() {
    if (this.#columnCount() === this.#shownColumns) return;
    this.#shownColumns = this.#columnCount();
    this.dispatchEvent(new Event("resize"));
  }

  /** @param {Event} event */
  #onClick(event) {
    const button = targetElement(event)?.closest(".tile");
    const tile = this.tiles.find((candidate) => candidate.button === button);
    if (tile) this.dispatchEvent(new CustomEvent("open", { detail: tile.prediction }));
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const columns = this.#columnCount();
    const buttons = this.tiles.map((tile) => tile.button);
    const current = buttons.findIndex((button) => button === event.target);
    /** @type {Record<string, number>} */
    const targets = {
      Home: 0,
      End: buttons.length - 1,
      ArrowRight: current + 1,
      ArrowLeft: current - 1,
      ArrowDown: current + columns,
      ArrowUp: current - columns,
    };
    const target = buttons[targets[event.key]];
    if (!target) return;
    event.preventDefault();
    target.focus();
  }

  /** One tile can be tabbed to: the one last walked to, else the first. */
  #updateTabOrder() {
    const buttons = this.tiles.map((tile) => tile.button);
    const current = buttons.find((button) => button === document.activeElement) ?? buttons[0];
    for (const button of buttons) button.tabIndex = button === current ? 0 : -1;
  }
}
