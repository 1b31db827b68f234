/** The table of models: the legend of the chart, their metrics side by side, and remarks on the champion. */

import { colourNumber } from "../components/model-colours.js";
import { element, setText } from "../lib/dom.js";
import { formatInterval, verdictBadge } from "../lib/evidence.js";
import { formatCount, formatDecimal, formatPercent } from "../lib/format.js";

/** @import { ModelMetrics, StreamStatus, Verdict } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** Title, text of a cell, and explanation where the title needs one. */
/** @type {[string, (model?: ModelMetrics) => string, string?][]} */
const COLUMNS = [
  ["Accuracy", (model) => formatPercent(model?.accuracy)],
  ["Recent", (model) => formatPercent(model?.window_accuracy)],
  ["Fading", (model) => formatPercent(model?.fading_accuracy), "Each label weighs a little less than the one after it"],
  ["Kappa", (model) => formatDecimal(model?.kappa)],
  ["Log loss", (model) => formatDecimal(model?.log_loss)],
  ["Calibration", (model) => formatPercent(model?.calibration_error), "How far its confidence is from how often it is right"],
  ["Drifts", (model) => formatCount(model?.drifts), "How often its error was found to change"],
  ["Scored", (model) => formatCount(model?.scored)],
];

/** @implements {Panel} */
export class ModelTable {
  #remarks;
  #body = element("tbody");
  /** The cells of each model. @type {Map<string, HTMLElement[]>} */
  #rows = new Map();
  /** What is said of each challenger beside its name. @type {Map<string, HTMLElement>} */
  #badges = new Map();

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
      const interval = formatInterval(status.models[name]?.interval);
      cells[0].title = interval === null ? "" : `${interval} with 95 % certainty`;
      this.#showVerdict(name, status.verdicts?.[name]);
    }
    setText(this.#remarks, describeChampion(status));
  }

  /**
   * @param {string} name of a model
   * @param {Verdict | undefined} verdict
   */
  #showVerdict(name, verdict) {
    const [shown, badge] = [this.#badges.get(name), verdictBadge(verdict)];
    if (!shown) return;
    shown.hidden = badge === null;
    shown.className = `badge ${badge?.kind ?? ""}`;
    shown.title = verdict?.text ?? "";
    setText(shown, badge?.text ?? "");
  }

  /** @param {string[]} names */
  #rebuild(names) {
    this.#badges = new Map(names.slice(1).map((name) => [name, element("span", { className: "badge", hidden: true })]));
    this.#rows = new Map(names.map((name) => [name, COLUMNS.map(() => element("td"))]));
    const rows = [...this.#rows].map(([name, cells], index) => {
      const swatch = element("span", { className: `swatch series-${colourNumber(index)}` });
      const head = element("th", { scope: "row" }, element("span", { className: "model", title: name }, swatch, name));
      head.append(this.#badges.get(name) ?? championBadge());
      return element("tr", {}, head, ...cells);
    });
    this.#body.replaceChildren(...rows);
  }
}

function championBadge() {
  return element("span", { className: "badge", title: "Its answers are served" }, "champion");
}

/**
 * What the metrics do not show: abstentions, and how each challenger does beside the champion.
 * @param {StreamStatus} status
 */
function describeChampion({ unknown, verdicts = {} }) {
  const sentences = Object.values(verdicts).map(({ text }) => text);
  if (unknown) {
    sentences.unshift(
      `Abstained on ${formatCount(unknown.abstained)} labelled images, ${formatCount(unknown.novel)} of them of classes ` +
        `it could not know; right on ${formatPercent(unknown.answered_accuracy)} of the others.`,
    );
  }
  return sentences.join("\n");
}
