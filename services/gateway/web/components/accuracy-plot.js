/** The lines of the accuracy chart, drawn by uPlot: one colour per model, a thick line since the start, a thin recent one. */

import { axisRange } from "../lib/axis-range.js";
import { element, setText } from "../lib/dom.js";
import { formatCount, formatPercent } from "../lib/format.js";
import { interpolate } from "../lib/interpolate.js";
import uPlot from "../vendor/uplot/uPlot.esm.js";
import { colourNumber } from "./model-colours.js";

/** @import { CurvePoint, DriftMark, FeatureDriftMark } from "../api/types.js" */

/** @typedef {"accuracy" | "window_accuracy"} Measure */
/** @typedef {{model: string, index: number, measure: Measure}} Line */

/** Pixels: narrower, the numbers of the axis run into each other. */
const MIN_WIDTH = 240;
/** Pixels, where the page has not been laid out yet. */
const DEFAULT_HEIGHT = 280;
/** Between grid lines closer than this, whole per cents would repeat. */
const FINE_STEP = 0.01;

/** One end of an interval: only the band between the two is seen. @type {uPlot.Series} */
const END = { width: 0, points: { show: false } };

/** Pixels of the mark of changed images. */
const FLAG = { width: 9, height: 7 };

/**
 * What is drawn.
 * @typedef {object} PlotContent
 * @property {CurvePoint[]} points two or more
 * @property {DriftMark[]} drifts
 * @property {FeatureDriftMark[]} featureDrifts
 * @property {string[]} models in the order of their colours, the champion first
 * @property {"both" | Measure} choice
 */

/** One chart, for as long as its models and the choice stay the same; only points and drifts change. */
export class AccuracyPlot {
  #root;
  #content;
  #readout = element("p", { className: "readout", hidden: true, "aria-hidden": "true" });
  #plot;

  /**
   * @param {HTMLElement} root
   * @param {PlotContent} content
   */
  constructor(root, content) {
    this.#root = root;
    this.#content = content;
    this.#plot = new uPlot(this.#options(), this.#data(), root);
    this.#plot.over.append(this.#readout);
  }

  /** @param {PlotContent} content of the same models and choice */
  update(content) {
    this.#content = content;
    this.#plot.setData(this.#data());
  }

  resize() {
    this.#plot.setSize(this.#size());
  }

  destroy() {
    this.#plot.destroy();
  }

  /**
   * In drawing order: the champion's above the others', those since the start above the recent ones.
   * @returns {Line[]}
   */
  #lines() {
    const { choice, models } = this.#content;
    /** @type {Measure[]} */
    const measures = choice === "both" ? ["window_accuracy", "accuracy"] : [choice];
    return measures.flatMap((measure) => models.map((model, index) => ({ model, index, measure })).reverse());
  }

  /** @returns {(number | null)[][]} */
  #columns() {
    return this.#lines().map(({ model, measure }) => this.#content.points.map((point) => point[measure][model] ?? null));
  }

  /** The champion's interval is drawn: bands of several could not be told apart, and a window's would be new with each label. */
  #banded() {
    return this.#content.choice === "window_accuracy" ? [] : this.#content.models.slice(0, 1);
  }

  /**
   * The upper and the lower end of each model's interval.
   * @param {number[]} xs
   */
  #ends(xs) {
    return this.#banded().flatMap((model) =>
      [1, 0].map((end) => interpolate(xs, this.#content.points.map(({ interval }) => interval?.[model]?.[end] ?? null))),
    );
  }

  /** @returns {uPlot.AlignedData} */
  #data() {
    const xs = this.#content.points.map((point) => point.scored);
    return [xs, ...this.#ends(xs), ...this.#columns()];
  }

  /** @returns {uPlot.Options} */
  #options() {
    const grid = { stroke: cssColour("--line"), width: 1 };
    const ends = this.#banded().flatMap(() => [END, END]);
    const axis = { stroke: cssColour("--muted"), grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      ...this.#size(),
      padding: [12, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: (_, series) => (series > ends.length ? 7 : 0) } },
      scales: { x: { time: false }, y: { range: () => axisRange(this.#columns()) } },
      axes: [
        { ...axis, grid: { show: false }, size: 32, values: (_, ticks) => ticks.map(formatCount) },
        { ...axis, size: 52, values: (_, ticks, ...[, , step]) => percentTicks(ticks, step) },
      ],
      series: [{}, ...ends, ...this.#lines().map((line) => this.#series(line))],
      bands: this.#banded().map((_, index) => ({ series: [2 * index + 1, 2 * index + 2], fill: `${modelColour(index)}2e` })),
      hooks: { setCursor: [(plot) => this.#showReadout(plot)], draw: [(plot) => this.#drawDrifts(plot)] },
    };
  }

  /**
   * @param {Line} line
   * @returns {uPlot.Series}
   */
  #series({ model, index, measure }) {
    const stroke = modelColour(index);
    const isRecent = measure === "window_accuracy";
    const isThin = isRecent && this.#content.choice === "both";
    const style = isThin ? { width: 1, alpha: 0.55 } : { width: index === 0 ? 2.5 : 1.75 };
    /** @type {uPlot.Series.Fill | undefined} */
    const fill = index === 0 && isRecent && !isThin ? (plot) => fadingFill(plot, stroke) : undefined;
    return { label: model, stroke, fill, points: { show: false }, spanGaps: true, ...style };
  }

  /**
   * A dashed line, in the model's colour, where its error was found to drift; a flag where the images had changed.
   * @param {uPlot} plot
   */
  #drawDrifts(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    Object.assign(ctx, { lineWidth: devicePixelRatio, globalAlpha: 0.6 });
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { scored, model } of this.#content.drifts) {
      this.#drawMark(plot, scored, modelColour(Math.max(0, this.#content.models.indexOf(model))));
    }
    ctx.setLineDash([]);
    for (const { scored } of this.#content.featureDrifts) {
      const x = this.#drawMark(plot, scored, cssColour("--warn"));
      // A flag on top: the line is told from those of the models without its colour too.
      ctx.fillStyle = cssColour("--warn");
      ctx.fillRect(x, bbox.top, FLAG.width * devicePixelRatio, FLAG.height * devicePixelRatio);
    }
    ctx.restore();
  }

  /**
   * A line from top to bottom; returns where it is.
   * @param {uPlot} plot
   * @param {number} scored
   * @param {string} colour
   */
  #drawMark(plot, scored, colour) {
    const { ctx, bbox } = plot;
    const x = plot.valToPos(scored, "x", true);
    ctx.strokeStyle = colour;
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    return x;
  }

  /** @param {uPlot} plot */
  #showReadout({ cursor }) {
    const { points, models, choice } = this.#content;
    const point = cursor.idx == null ? undefined : points[cursor.idx];
    const isVisible = point !== undefined && (cursor.left ?? -1) >= 0;
    this.#readout.hidden = !isVisible;
    if (!isVisible) return;
    const shares = point[choice === "window_accuracy" ? "window_accuracy" : "accuracy"];
    const accuracies = models.map((model) => `${model} ${formatPercent(shares[model])}`);
    setText(this.#readout, [`after ${formatCount(point.scored)}`, ...accuracies].join("  ·  "));
  }

  #size() {
    return { width: Math.max(MIN_WIDTH, this.#root.clientWidth), height: this.#root.clientHeight || DEFAULT_HEIGHT };
  }
}

/**
 * @param {number[]} ticks
 * @param {number} step
 */
function percentTicks(ticks, step) {
  return ticks.map((tick) => formatPercent(tick, step < FINE_STEP ? 1 : 0));
}

/** @param {number} index of the model */
function modelColour(index) {
  return cssColour(`--series-${colourNumber(index)}`);
}

/** @param {string} property of style.css, whose value depends on the colour scheme */
function cssColour(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}

/**
 * @param {uPlot} plot
 * @param {string} colour #rrggbb
 */
function fadingFill({ ctx, bbox }, colour) {
  const gradient = ctx.createLinearGradient(0, bbox.top, 0, bbox.top + bbox.height);
  gradient.addColorStop(0, `${colour}2e`);
  gradient.addColorStop(1, `${colour}00`);
  return gradient;
}
