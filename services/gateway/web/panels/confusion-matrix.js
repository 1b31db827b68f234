/** The confusion matrix of one model; a cell leads to its images. */

import { element, write } from "../lib/dom.js";
import { count, natural, percent } from "../lib/format.js";

export class Confusion {
  #root;
  #onChoose;
  #table = null;
  #labels = "";
  #rows = [];
  #empty = element("p", { className: "empty" }, "Counts appear with the first scored labels: rows are what images are, columns what the model said.");

  /** `onChoose({truth, predicted})` is called for a cell. */
  constructor(root, onChoose) {
    this.#root = root;
    this.#onChoose = onChoose;
    root.append(this.#empty);
    root.addEventListener("click", (event) => this.#choose(event.target.closest("td")));
    root.addEventListener("keydown", (event) => this.#walk(event));
  }

  reset() {
    this.show({ labels: [], rows: [] });
  }

  /** `matrix` as the API gives it: the last column counts what was scored before any class was known. */
  show(matrix) {
    const { labels, rows } = ordered(matrix);
    this.#rows = rows;
    this.#empty.hidden = labels.length > 0;
    const key = JSON.stringify(labels);
    if (key !== this.#labels || !this.#table) this.#rebuild(labels);
    this.#labels = key;
    this.#paint(labels);
  }

  #rebuild(labels) {
    this.#root.querySelector(".scroll")?.remove();
    this.#table = null;
    if (!labels.length) return;
    const heads = labels.map((label) => element("th", { scope: "col", title: `predicted ${label}` }, element("span", {}, label)));
    const body = labels.map((label) => {
      const cells = labels.map(() => element("td", { tabIndex: -1 }));
      return element("tr", {}, element("th", { scope: "row", title: label }, element("span", {}, label)), ...cells);
    });
    const corner = element("td", { className: "corner" }, "is ↓\nsaid →");
    this.#table = element("table", { className: "matrix" }, element("caption", { className: "hidden" }, "Rows: what images are. Columns: what the model said."), element("thead", {}, element("tr", {}, corner, ...heads)), element("tbody", {}, ...body));
    this.#root.append(element("div", { className: "scroll" }, this.#table));
    this.#cell(0, 0).tabIndex = 0;
  }

  #paint(labels) {
    labels.forEach((truth, row) => {
      const total = this.#rows[row].reduce((sum, value) => sum + value, 0);
      labels.forEach((said, column) => this.#paintCell(this.#cell(row, column), this.#rows[row][column], total, truth, said));
    });
  }

  #paintCell(cell, value, total, truth, said) {
    const text = `${count(value)} of ${truth} predicted as ${said}, ${percent(total ? value / total : 0)}`;
    if (cell.title === text) return;
    cell.title = text;
    cell.setAttribute("aria-label", text);
    write(cell, value ? count(value) : "");
    cell.className = value ? (truth === said ? "hit" : "miss") : "";
    cell.style.setProperty("--share", total ? Math.sqrt(value / total) : 0);
  }

  #cell(row, column) {
    return this.#table.tBodies[0].rows[row]?.cells[column + 1];
  }

  #choose(cell) {
    if (!cell?.textContent || cell.classList.contains("corner")) return;
    const labels = JSON.parse(this.#labels);
    this.#onChoose({ truth: labels[cell.parentElement.rowIndex - 1], predicted: labels[cell.cellIndex - 1] });
  }

  #walk(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const cell = event.target.closest("td");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") this.#choose(cell);
    else if (step) this.#focus(cell, step);
    else return;
    event.preventDefault();
  }

  #focus(cell, [down, right]) {
    const row = cell.parentElement.rowIndex - 1 + down;
    const column = cell.cellIndex - 1 + right;
    const next = row >= 0 && column >= 0 ? this.#cell(row, column) : undefined;
    if (!next) return;
    cell.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

/** The same matrix with its labels in the order that people expect. */
function ordered({ labels, rows }) {
  const order = natural(labels).map((label) => labels.indexOf(label));
  const row = (values) => [...order.map((at) => values[at]), ...values.slice(labels.length)];
  return { labels: order.map((at) => labels[at]), rows: order.map((at) => row(rows[at])) };
}
