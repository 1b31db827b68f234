/** How far the numbers and the model can be trusted: each question with its answer in a sentence or two. */

import { reliabilityPlot } from "../components/reliability-plot.js";
import { element, setText } from "../lib/dom.js";
import { describeCalibration, describeFeatureDrift, describeLabels, describeSets } from "../lib/evidence.js";
import { formatCount, formatPercent } from "../lib/format.js";
import { poolPoints } from "../lib/reliability.js";
import { throttle } from "../lib/throttle.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { ReliabilityPoint, StreamStatus } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** The curve is of the newest 4,000 labels: it hardly moves from one second to the next. */
const FETCH_INTERVAL_MS = 3000;

/** The questions that a status answers; one without an answer is not asked. */
/** @type {[string, (status: StreamStatus) => string | null][]} */
const QUESTIONS = [
  ["What if one class is not enough?", ({ sets }) => describeSets(sets)],
  ["Do the images still look the same?", describeFeatureDrift],
  ["Which accuracy is which?", describeLabels],
];

/** @implements {Panel} */
export class TrustReport {
  #client;
  /** @type {Snapshot | null} */
  #snapshot = null;
  /** By model. @type {Record<string, ReliabilityPoint[]>} */
  #reliability = {};
  #figure = element("div", { role: "img", className: "figure-reliability" });
  #calibration = element("p");
  #rows = element("tbody");
  #table = element("details", { hidden: true });
  #answers = QUESTIONS.map(([question, answer]) => {
    const text = element("p");
    return { answer, text, root: element("div", { hidden: true }, element("h3", {}, question), text) };
  });
  #fetchLater = throttle(() => this.#fetch(), FETCH_INTERVAL_MS);

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {GatewayClient} parts.client
   */
  constructor(root, { client }) {
    this.#client = client;
    const heads = ["Sure", "Right", "Predictions"].map((text) => element("th", { scope: "col" }, text));
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...heads)), this.#rows);
    this.#table.append(element("summary", {}, "The curve as a table"), table);
    const calibration = element("div", {}, element("h3", {}, "Is it right as often as it says?"), this.#calibration);
    const others = this.#answers.map((each) => each.root);
    root.append(this.#figure, element("div", { className: "answers" }, calibration, this.#table, ...others));
    this.reset();
  }

  reset() {
    this.#snapshot = null;
    this.#reliability = {};
    for (const { root } of this.#answers) root.hidden = true;
    this.#paintCurve();
  }

  /** @param {Snapshot} snapshot */
  update(snapshot) {
    const isOtherModel = snapshot.shownModel !== this.#snapshot?.shownModel;
    this.#snapshot = snapshot;
    for (const { answer, text, root } of this.#answers) {
      const said = answer(snapshot.status);
      root.hidden = said === null;
      setText(text, unbroken(said ?? ""));
    }
    if (isOtherModel) this.#paintCurve();
    this.#fetchLater();
  }

  /** The stream may be another one when the answer comes; an old gateway has none. */
  async #fetch() {
    if (this.#snapshot === null) return;
    const { stream } = this.#snapshot.status;
    const answer = await this.#client.reliability(stream).catch(() => null);
    if (!answer || this.#snapshot?.status.stream !== stream) return;
    this.#reliability = Object.fromEntries(Object.entries(answer.models).map(([name, points]) => [name, poolPoints(points)]));
    this.#paintCurve();
  }

  #paintCurve() {
    const { status, models = [], shownModel = "" } = this.#snapshot ?? {};
    const points = this.#reliability[shownModel] ?? [];
    const text = describeCalibration(shownModel, status?.models[shownModel], points, status?.label_order);
    setText(this.#calibration, unbroken(text));
    this.#figure.setAttribute("aria-label", `Reliability curve. ${text}`);
    this.#figure.replaceChildren(reliabilityPlot({ reliability: this.#reliability, models, shown: shownModel }));
    this.#table.hidden = points.length === 0;
    this.#rows.replaceChildren(...points.map(row));
  }
}

/**
 * No line begins with a percent sign.
 * @param {string} text
 */
function unbroken(text) {
  return text.replaceAll(" %", "\u00a0%");
}

/** @param {ReliabilityPoint} point */
function row({ confidence, accuracy, count }) {
  const cells = [formatPercent(confidence, 0), formatPercent(accuracy, 0), formatCount(count)];
  return element("tr", {}, ...cells.map((text) => element("td", {}, text)));
}
