/** The live accuracy curve: one colour per model, a full line since the start, a fine one over the newest labels. */

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { element, segments, write } from "../lib/dom.js";
import { limits } from "../lib/axis.js";
import { count, percent } from "../lib/format.js";

export const SERIES_COLOURS = 6;
const KINDS = [
  ["both", "Both"],
  ["accuracy", "Since the start"],
  ["window_accuracy", "Recent"],
];

export class Curve {
  #root;
  #points = [];
  #drifts = [];
  #models = [];
  #kind = "both";
  #plot = null;
  #readout = element("p", { className: "readout", "aria-hidden": "true" });
  #empty = element("p", { className: "empty" }, "The curve begins with the first labels: a prediction is scored once its label is known.");

  constructor(root, kinds) {
    this.#root = root;
    segments(kinds, KINDS, this.#kind, (kind) => {
      this.#kind = kind;
      this.#build();
    });
    root.append(this.#empty);
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#build());
  }

  reset() {
    this.show({ points: [], drifts: [] }, []);
  }

  /** `points` and `drifts` as the API gives them; `models` in the order of their colours, the champion first. */
  show({ points, drifts = [] }, models) {
    [this.#points, this.#drifts] = [points, drifts];
    const same = this.#plot && models.join() === this.#models.join() && points.length > 1;
    this.#models = models;
    if (same) this.#plot.setData(this.#data());
    else this.#build();
    this.#describe();
  }

  #build() {
    this.#plot?.destroy();
    this.#plot = null;
    const drawable = this.#points.length > 1;
    this.#empty.hidden = drawable;
    if (!drawable) return;
    this.#plot = new uPlot(this.#settings(), this.#data(), this.#root);
    this.#plot.over.append(this.#readout);
  }

  /** The lines in drawing order: [model, which accuracy, index of the model]. */
  #lines() {
    const kinds = this.#kind === "both" ? ["window_accuracy", "accuracy"] : [this.#kind];
    return kinds.flatMap((kind) => this.#models.map((model, index) => [model, kind, index]).reverse());
  }

  #data() {
    const columns = this.#lines().map(([model, kind]) => this.#points.map((point) => point[kind][model] ?? null));
    return [this.#points.map((point) => point.scored), ...columns];
  }

  #settings() {
    const ink = colour("--muted");
    const grid = { stroke: colour("--line"), width: 1 };
    const axis = { stroke: ink, grid, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      ...this.#size(),
      padding: [12, 12, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: { x: { time: false }, y: { range: () => limits(this.#data().slice(1)) } },
      axes: [
        { ...axis, grid: { show: false }, size: 32, values: (_, ticks) => ticks.map(count) },
        { ...axis, size: 52, values: (_, ticks, axisIndex, space, step) => ticks.map((tick) => percent(tick, step < 0.01 ? 1 : 0)) },
      ],
      series: [{}, ...this.#lines().map((line) => this.#line(...line))],
      hooks: { setCursor: [(plot) => this.#read(plot)], draw: [(plot) => this.#mark(plot)] },
    };
  }

  #line(label, kind, index) {
    const stroke = seriesColour(index);
    const fine = kind === "window_accuracy" && this.#kind === "both";
    const style = fine ? { width: 1, alpha: 0.55 } : { width: index === 0 ? 2.5 : 1.75 };
    const fill = index === 0 && !fine ? (plot) => shade(plot, stroke) : undefined;
    return { label, stroke, fill, points: { show: false }, spanGaps: true, ...style };
  }

  /** A dashed line, in the model's colour, where its error was found to drift. */
  #mark(plot) {
    const { ctx, bbox } = plot;
    ctx.save();
    Object.assign(ctx, { lineWidth: devicePixelRatio, globalAlpha: 0.6 });
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { scored, model } of this.#drifts) {
      const x = plot.valToPos(scored, "x", true);
      ctx.strokeStyle = seriesColour(Math.max(0, this.#models.indexOf(model)));
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  #read(plot) {
    const point = this.#points[plot.cursor.idx];
    this.#readout.hidden = point === undefined || plot.cursor.left < 0;
    if (this.#readout.hidden) return;
    const kind = this.#kind === "window_accuracy" ? "window_accuracy" : "accuracy";
    const said = this.#models.map((model) => `${model} ${percent(point[kind][model])}`);
    write(this.#readout, [`after ${count(point.scored)}`, ...said].join("  ·  "));
  }

  #describe() {
    const last = this.#points.at(-1);
    const said = this.#models.map((model) => `${model} ${percent(last?.accuracy[model])}`);
    const drifted = this.#drifts.length ? ` Drifts: ${this.#drifts.map((one) => `${one.model} at ${count(one.scored)}`).join(", ")}.` : "";
    const text = last ? `Accuracy after ${count(last.scored)} scored images: ${said.join(", ")}.${drifted}` : "No accuracy yet.";
    this.#root.setAttribute("role", "img");
    this.#root.setAttribute("aria-label", text);
  }

  #size() {
    return { width: Math.max(240, this.#root.clientWidth), height: this.#root.clientHeight || 280 };
  }
}

/** The colour of the model at `index`, for canvas. */
function seriesColour(index) {
  return colour(`--series-${(index % SERIES_COLOURS) + 1}`);
}

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function shade(plot, stroke) {
  const { top, height } = plot.bbox;
  const gradient = plot.ctx.createLinearGradient(0, top, 0, top + height);
  gradient.addColorStop(0, `${stroke}2e`);
  gradient.addColorStop(1, `${stroke}00`);
  return gradient;
}
