/** The table of models: the legend of the chart, their metrics side by side, and remarks on the champion. */

import { colourNumber } from "../components/model-colours.js";
import { element, setText } from "../lib/dom.js";
import { formatCount, formatDecimal, formatPercent } from "../lib/format.js";

/** @import { ModelMetrics, StreamStatus } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** Title, text of a cell, and explanation where the title needs one. */
/** @type {[string, (model?: ModelMetrics) => string, string?][]} */
const COLUMNS = [
  ["Accuracy", (model) => formatPercent(model?.accuracy)],
  ["Recent", (model) => formatPercent(model?.window_accuracy)],
  ["Fading", (model) => formatPercent(model?.fading_accuracy), "Each label weighs a little less than the one after it"],
  ["Kappa", (model) => formatDecimal(model?.kappa)],
  ["Log loss", (model) => formatDecimal(model?.log_loss)],
  ["Drifts", (model) => formatCount(model?.drifts), "How often its error was found to change"],
  ["Scored", (model) => formatCount(model?.scored)],
];

/** @implements {Panel} */
export class ModelTable {
  #remarks;
  #body = element("tbody");
  /** The cells of each model. @type {Map<string, HTMLElement[]>} */
  #rows = new Map();

  /**
   * @param {HTMLTableElement} root
   * @param {object} parts
   * @param {HTMLElement} parts.remarks
   */
  constructor(root, { remarks }) {
    this.#remarks = remarks;
    const heads = COLUMNS.map(([text, , title]) => element("th", { scope: "col", title }, text));
    root.append(
      element("caption", { className: "hidden" }, "Models and their metrics"),
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "Model"), ...heads)),
      this.#body,
    );
  }

  reset() {
    this.#rebuild([]);
    setText(this.#remarks, "");
  }

  /** @param {Snapshot} snapshot */
  update({ status, models }) {
    if (models.join("\n") !== [...this.#rows.keys()].join("\n")) this.#rebuild(models);
    for (const [name, cells] of this.#rows) {
      COLUMNS.forEach(([, text], index) => setText(cells[index], text(status.models[name])));
    }
    setText(this.#remarks, describeChampion(status));
  }

  /** @param {string[]} names */
  #rebuild(names) {
    this.#rows = new Map(names.map((name) => [name, COLUMNS.map(() => element("td"))]));
    const rows = [...this.#rows].map(([name, cells], index) => {
      const swatch = element("span", { className: `swatch series-${colourNumber(index)}` });
      const head = element("th", { scope: "row" }, element("span", { className: "model", title: name }, swatch, name));
      if (index === 0) head.append(championBadge());
      return element("tr", {}, head, ...cells);
    });
    this.#body.replaceChildren(...rows);
  }
}

function championBadge() {
  return element("span", { className: "badge", title: "Its answers are served" }, "champion");
}

/**
 * What the metrics do not show: abstentions, and features that have moved.
 * @param {StreamStatus} status
 */
function describeChampion({ unknown, feature_drift: drift, feature_drift_threshold: threshold }) {
  const sentences = [];
  if (unknown) {
    sentences.push(
      `Abstained on ${formatCount(unknown.abstained)} labelled images, ${formatCount(unknown.novel)} of them of classes ` +
        `it could not know; right on ${formatPercent(unknown.answered_accuracy)} of the others.`,
    );
  }
  if (drift > threshold) {
    sentences.push(
      `The features have changed: the newest are ${drift.toFixed(1)} deviations further from those before than usual.`,
    );
  }
  return sentences.join(" ");
}
