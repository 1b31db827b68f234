/** Precision, recall and support of each class of one model. */

import { element, setText } from "../lib/dom.js";
import { NO_VALUE, formatCount, formatPercent } from "../lib/format.js";
import { sortNaturally } from "../lib/labels.js";

/** @import { ClassMetrics } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** More rows nobody reads, and each is painted five times a second. */
const MAX_CLASSES = 50;
const COLUMNS = ["Class", "Scored", "Precision", "Recall", "F1", "Forgotten"];
const FORGOTTEN_HINT = "Its best recall in a stretch of the stream, less that in the newest one";

/** @implements {Panel} */
export class ClassReport {
  #body = element("tbody");
  /** The cells of each class. @type {Map<string, HTMLElement[]>} */
  #rows = new Map();
  #more = element("p", { className: "muted" });
  #empty = element("p", { className: "empty" }, "Each class appears with its first scored label.");
  #table = element("table", { className: "classes" });

  /** @param {HTMLElement} root */
  constructor(root) {
    const heads = COLUMNS.map((name) => {
      return element("th", { scope: "col", title: name === "Forgotten" ? FORGOTTEN_HINT : undefined }, name);
    });
    this.#table.append(element("thead", {}, element("tr", {}, ...heads)), this.#body);
    // In the tab order, so that a table that is cut off can be scrolled with the keyboard.
    const properties = { className: "scroll", role: "region", "aria-label": "Table of the classes", tabIndex: 0 };
    root.append(this.#empty, element("div", properties, this.#table), this.#more);
    this.reset();
  }

  reset() {
    this.#show({});
  }

  /** @param {Snapshot} snapshot */
  update({ status, shownModel }) {
    this.#show(status.models[shownModel]?.classes ?? {});
  }

  /** @param {Record<string, ClassMetrics>} classes the most frequent are shown */
  #show(classes) {
    const all = Object.keys(classes);
    const frequent = [...all].sort((a, b) => classes[b].support - classes[a].support).slice(0, MAX_CLASSES);
    const names = sortNaturally(frequent);
    if (names.join("\n") !== [...this.#rows.keys()].join("\n")) this.#rebuild(names);
    for (const [name, cells] of this.#rows) fillRow(cells, classes[name]);
    this.#empty.hidden = names.length > 0;
    this.#table.hidden = names.length === 0;
    const hiddenCount = all.length - names.length;
    setText(this.#more, hiddenCount > 0 ? `and ${formatCount(hiddenCount)} rarer classes` : "");
  }

  /** @param {string[]} names */
  #rebuild(names) {
    this.#rows = new Map(names.map((name) => [name, COLUMNS.slice(1).map(() => element("td"))]));
    const rows = [...this.#rows].map(([name, cells]) => {
      return element("tr", {}, element("th", { scope: "row", title: name }, name), ...cells);
    });
    this.#body.replaceChildren(...rows);
  }
}

/**
 * @param {HTMLElement[]} cells
 * @param {ClassMetrics} metrics
 */
function fillRow([scored, precision, recall, f1, forgotten], metrics) {
  setText(scored, formatCount(metrics.support));
  fillShare(precision, metrics.precision);
  fillShare(recall, metrics.recall);
  fillShare(f1, metrics.f1 ?? harmonicMean(metrics.precision, metrics.recall));
  setText(forgotten, metrics.forgetting == null ? NO_VALUE : formatPercent(metrics.forgetting));
}

/**
 * @param {HTMLElement} cell
 * @param {number | null} share
 */
function fillShare(cell, share) {
  setText(cell, formatPercent(share));
  cell.style.setProperty("--share", String(share ?? 0));
  cell.className = "share";
}

/**
 * @param {number | null} precision
 * @param {number | null} recall
 */
function harmonicMean(precision, recall) {
  if (precision == null || recall == null) return null;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}
