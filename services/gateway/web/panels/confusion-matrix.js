/** The confusion matrix of one model; a cell leads to its images. */

import { element, setText, targetElement } from "../lib/dom.js";
import { formatCount, formatPercent } from "../lib/format.js";
import { sortNaturally } from "../lib/labels.js";
import { throttle } from "../lib/throttle.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { ConfusionCounts } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** Counts grow slowly beside the curve, and fifty classes are 2,500 of them. */
const FETCH_INTERVAL_MS = 2000;

const EMPTY_TEXT = "Counts appear with the first scored labels: rows are what images are, columns what the model predicted.";
const CAPTION = "Rows: what images are. Columns: what the model predicted.";

/** What an arrow key does in the table: rows, columns. @type {Record<string, [number, number]>} */
const ARROWS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

/** @implements {Panel} */
export class ConfusionMatrix {
  #client;
  #onChoose;
  /** @type {Snapshot | null} */
  #snapshot = null;
  /** @type {string[]} */
  #labels = [];
  /** The cells of the classes, by row and column. @type {HTMLTableCellElement[][]} */
  #cells = [];
  #container = element("div", { className: "scroll", hidden: true });
  #empty = element("p", { className: "empty" }, EMPTY_TEXT);
  #fetchLater = throttle(() => this.#fetch(), FETCH_INTERVAL_MS);

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {GatewayClient} parts.client
   * @param {(cell: {truth: string, predicted: string}) => void} parts.onChoose called for a cell that counts anything
   */
  constructor(root, { client, onChoose }) {
    this.#client = client;
    this.#onChoose = onChoose;
    root.append(this.#empty, this.#container);
    root.addEventListener("click", (event) => this.#choose(this.#position(event)));
    root.addEventListener("keydown", (event) => this.#onKey(event));
  }

  reset() {
    this.#snapshot = null;
    this.#show({ labels: [], rows: [] });
  }

  /** @param {Snapshot} snapshot */
  update(snapshot) {
    const isOtherModel = snapshot.shownModel !== this.#snapshot?.shownModel;
    this.#snapshot = snapshot;
    // Somebody who has just chosen a model must not see the numbers of another one under its name.
    if (isOtherModel) void this.#fetch();
    else this.#fetchLater();
  }

  /** Stream and model may be others when the fetch begins, and again when its answer comes. */
  async #fetch() {
    if (this.#snapshot === null) return;
    const { status, shownModel } = this.#snapshot;
    const counts = await this.#client.confusion(status.stream, shownModel).catch(() => null);
    const isCurrent = this.#snapshot?.status.stream === status.stream && this.#snapshot.shownModel === shownModel;
    if (counts && isCurrent) this.#show(counts);
  }

  /** @param {ConfusionCounts} counts */
  #show(counts) {
    const { labels, rows } = sortMatrix(counts);
    if (labels.join("\n") !== this.#labels.join("\n")) this.#rebuild(labels);
    this.#empty.hidden = labels.length > 0;
    this.#container.hidden = labels.length === 0;
    this.#cells.forEach((cells, row) => {
      const total = rows[row].reduce((sum, value) => sum + value, 0);
      cells.forEach((cell, column) => {
        paintCell(cell, { value: rows[row][column], total, truth: labels[row], predicted: labels[column] });
      });
    });
  }

  /** @param {string[]} labels */
  #rebuild(labels) {
    this.#labels = labels;
    this.#cells = labels.map(() => labels.map(() => element("td", { tabIndex: -1 })));
    this.#container.replaceChildren();
    if (labels.length === 0) return;
    const corner = element("td", { className: "corner" }, "is ↓\npredicted →");
    const heads = labels.map((label) => headCell(label, "col", `predicted ${label}`));
    const rows = labels.map((label, row) => element("tr", {}, headCell(label, "row", label), ...this.#cells[row]));
    const table = element("table", { className: "matrix" }, element("caption", { className: "hidden" }, CAPTION));
    table.append(element("thead", {}, element("tr", {}, corner, ...heads)), element("tbody", {}, ...rows));
    this.#container.append(table);
    this.#cells[0][0].tabIndex = 0; // One cell can be tabbed to; the arrow keys move on from there.
  }

  /**
   * Row and column of the cell that an event came from.
   * @param {Event} event
   * @returns {[number, number] | null}
   */
  #position(event) {
    const cell = targetElement(event)?.closest("td");
    const row = this.#cells.findIndex((cells) => cells.some((candidate) => candidate === cell));
    return row < 0 ? null : [row, this.#cells[row].findIndex((candidate) => candidate === cell)];
  }

  /** @param {[number, number] | null} position */
  #choose(position) {
    if (position === null) return;
    const [row, column] = position;
    if (this.#cells[row][column].textContent === "") return;
    this.#onChoose({ truth: this.#labels[row], predicted: this.#labels[column] });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const position = this.#position(event);
    if (position === null) return;
    if (event.key === "Enter" || event.key === " ") this.#choose(position);
    else if (event.key in ARROWS) this.#moveFocus(position, ARROWS[event.key]);
    else return;
    event.preventDefault();
  }

  /**
   * @param {[number, number]} position
   * @param {[number, number]} step
   */
  #moveFocus([row, column], [down, right]) {
    const next = this.#cells[row + down]?.[column + right];
    if (!next) return;
    this.#cells[row][column].tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

/**
 * @param {string} label
 * @param {"col" | "row"} scope
 * @param {string} title
 */
function headCell(label, scope, title) {
  return element("th", { scope, title }, element("span", {}, label));
}

/**
 * @param {HTMLElement} cell
 * @param {{value: number, total: number, truth: string, predicted: string}} count `total`: of the row
 */
function paintCell(cell, { value, total, truth, predicted }) {
  const share = total > 0 ? value / total : 0;
  const text = `${formatCount(value)} of ${truth} predicted as ${predicted}, ${formatPercent(share)}`;
  if (cell.title === text) return;
  cell.title = text;
  cell.setAttribute("aria-label", text);
  setText(cell, value ? formatCount(value) : "");
  cell.className = value ? (truth === predicted ? "hit" : "miss") : "";
  // The root makes the few mistakes of a good model visible beside its many hits.
  cell.style.setProperty("--share", String(Math.sqrt(share)));
}

/**
 * The same counts with the labels in natural order. The last column, of examples without a prediction, stays the last.
 * @param {ConfusionCounts} counts
 * @returns {ConfusionCounts}
 */
function sortMatrix({ labels, rows }) {
  const order = sortNaturally(labels).map((label) => labels.indexOf(label));
  /** @param {number[]} row */
  const sortRow = (row) => [...order.map((index) => row[index]), ...row.slice(labels.length)];
  return { labels: order.map((index) => labels[index]), rows: order.map((index) => sortRow(rows[index])) };
}
