/** The live accuracy curve: fetched as the stream goes on, drawn, and told in words. */

import { AccuracyPlot } from "../components/accuracy-plot.js";
import { buildSegments, element } from "../lib/dom.js";
import { formatInterval } from "../lib/evidence.js";
import { formatCount, formatPercent } from "../lib/format.js";
import { throttle } from "../lib/throttle.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { AccuracyCurve, CurvePoint } from "../api/types.js" */
/** @import { PlotContent } from "../components/accuracy-plot.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** @type {[PlotContent["choice"], string][]} */
const CHOICES = [
  ["both", "Both"],
  ["accuracy", "Since the start"],
  ["window_accuracy", "Recent"],
];

/** A curve of 500 points is 50 KB: once a second is smooth enough. */
const FETCH_INTERVAL_MS = 1000;

const EMPTY_TEXT = "The curve begins with the first prediction that names a class and whose label is known.";

/** @implements {Panel} */
export class AccuracyChart {
  #root;
  #client;
  /** @type {Snapshot | null} */
  #snapshot = null;
  /** @type {PlotContent} */
  #content = { points: [], drifts: [], featureDrifts: [], models: [], choice: "both" };
  /** @type {AccuracyPlot | null} */
  #plot = null;
  #empty = element("p", { className: "empty" }, EMPTY_TEXT);
  #legend = element("p", { className: "chart-legend", hidden: true, "aria-hidden": "true" }, "the images changed");
  #fetchLater = throttle(() => this.#fetch(), FETCH_INTERVAL_MS);

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {HTMLElement} parts.choices which accuracy is shown
   * @param {GatewayClient} parts.client
   */
  constructor(root, { choices, client }) {
    this.#root = root;
    this.#client = client;
    buildSegments(choices, CHOICES, this.#content.choice, (choice) => {
      this.#content = { ...this.#content, choice };
      this.#rebuild();
    });
    root.append(this.#empty, this.#legend);
    root.setAttribute("role", "img");
    new ResizeObserver(() => this.#plot?.resize()).observe(root);
    // A canvas keeps the colours it was drawn with.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#rebuild());
  }

  reset() {
    this.#snapshot = null;
    this.#show({ points: [] }, { models: [], featureDrifts: [] });
  }

  /** @param {Snapshot} snapshot */
  update(snapshot) {
    this.#snapshot = snapshot;
    this.#fetchLater();
  }

  /** The stream may be another one when the fetch begins, and again when its answer comes. */
  async #fetch() {
    if (this.#snapshot === null) return;
    const { status, models } = this.#snapshot;
    const curve = await this.#client.curve(status.stream).catch(() => null);
    if (!curve || this.#snapshot?.status.stream !== status.stream) return;
    this.#show(curve, { models, featureDrifts: status.feature_drifts ?? [] });
  }

  /**
   * @param {AccuracyCurve} curve
   * @param {Pick<PlotContent, "models" | "featureDrifts">} others
   */
  #show({ points, drifts = [] }, { models, featureDrifts }) {
    const hasSameLines = models.join("\n") === this.#content.models.join("\n");
    this.#content = { ...this.#content, points, drifts, featureDrifts, models };
    if (this.#plot && hasSameLines && points.length > 1) this.#plot.update(this.#content);
    else this.#rebuild();
    this.#root.setAttribute("aria-label", describe(this.#content));
    this.#legend.hidden = featureDrifts.length === 0;
  }

  #rebuild() {
    this.#plot?.destroy();
    const isDrawable = this.#content.points.length > 1;
    this.#plot = isDrawable ? new AccuracyPlot(this.#root, this.#content) : null;
    this.#empty.hidden = isDrawable;
  }
}

/**
 * @param {CurvePoint} point
 * @param {string} model
 */
function accuracyOf({ accuracy, interval }, model) {
  const ends = formatInterval(interval?.[model]);
  return `${formatPercent(accuracy[model])}${ends === null ? "" : ` (${ends})`}`;
}

/**
 * The chart in words, for those who do not see it.
 * @param {PlotContent} content
 */
function describe({ points, drifts, featureDrifts, models }) {
  const newest = points.at(-1);
  if (!newest) return "No accuracy yet.";
  const accuracies = models.map((model) => `${model} ${accuracyOf(newest, model)}`).join(", ");
  const marks = drifts.map(({ model, scored }) => `${model} at ${formatCount(scored)}`);
  const changes = featureDrifts.map(({ scored }) => `at ${formatCount(scored)}`);
  return [
    `Accuracy after ${formatCount(newest.scored)} scored images: ${accuracies}.`,
    ...(marks.length > 0 ? [`Drifts: ${marks.join(", ")}.`] : []),
    ...(changes.length > 0 ? [`The images changed: ${changes.join(", ")}.`] : []),
  ].join(" ");
}
