/** The reliability curve: how sure a model was, and how often it was right then; on the diagonal both are the same. */

import { colourNumber } from "./model-colours.js";

/** @import { ReliabilityPoint } from "../api/types.js" */

const SVG = "http://www.w3.org/2000/svg";
/** Units of the drawing: the square, and room for the numbers of the axes. */
const SIDE = 200;
const LEFT = 38;
const BOTTOM = 34;
const EDGE = 12;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
/** Of a dot: the smallest can still be seen, the largest hides no neighbour. */
const RADIUS = { smallest: 2, largest: 7 };

/**
 * Draws the curves of all models, the chosen one on top and with dots as large as their share of the predictions.
 * @param {object} content
 * @param {Record<string, ReliabilityPoint[]>} content.reliability by model
 * @param {string[]} content.models in the order of their colours
 * @param {string} content.shown the model that the words beside it are about
 * @returns {SVGElement}
 */
export function reliabilityPlot({ reliability, models, shown }) {
  const others = models.filter((name) => name !== shown && reliability[name]?.length);
  const viewBox = `0 0 ${LEFT + SIDE + EDGE} ${EDGE + SIDE + BOTTOM}`;
  const root = svg("svg", { viewBox, class: "reliability", "aria-hidden": "true" });
  root.append(...TICKS.flatMap(grid), ...axisTitles());
  root.append(svg("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "diagonal" }));
  for (const name of others) root.append(curve(reliability[name], models.indexOf(name), "thin"));
  const points = reliability[shown] ?? [];
  root.append(curve(points, models.indexOf(shown), ""), ...dots(points, models.indexOf(shown)));
  return root;
}

/** @param {number} share */
function x(share) {
  return LEFT + share * SIDE;
}

/** @param {number} share */
function y(share) {
  return EDGE + (1 - share) * SIDE;
}

/** @param {number} tick */
function grid(tick) {
  const text = `${tick * 100}`;
  return [
    svg("line", { x1: x(0), y1: y(tick), x2: x(1), y2: y(tick), class: "grid" }),
    svg("line", { x1: x(tick), y1: y(0), x2: x(tick), y2: y(1), class: "grid" }),
    svg("text", { x: x(0) - 5, y: y(tick) + 4, class: "tick end" }, text),
    svg("text", { x: x(tick), y: y(0) + 14, class: "tick middle" }, text),
  ];
}

function axisTitles() {
  const [left, middle] = [9, y(0.5)];
  return [
    svg("text", { x: x(0.5), y: y(0) + 30, class: "tick middle" }, "how sure, %"),
    svg("text", { x: left, y: middle, class: "tick middle", transform: `rotate(-90 ${left} ${middle})` }, "how often right, %"),
  ];
}

/**
 * @param {ReliabilityPoint[]} points
 * @param {number} index of the model
 * @param {string} style
 */
function curve(points, index, style) {
  const path = points.map(({ confidence, accuracy }) => `${x(confidence)},${y(accuracy)}`).join(" ");
  return svg("polyline", { points: path, class: `curve ${style} series-${colourNumber(index)}` });
}

/**
 * @param {ReliabilityPoint[]} points
 * @param {number} index of the model
 */
function dots(points, index) {
  const most = Math.max(...points.map(({ count }) => count));
  return points.map(({ confidence, accuracy, count }) => {
    const r = Math.max(RADIUS.smallest, RADIUS.largest * Math.sqrt(count / most));
    return svg("circle", { cx: x(confidence), cy: y(accuracy), r, class: `dot series-${colourNumber(index)}` });
  });
}

/**
 * @param {string} tag
 * @param {Record<string, string | number>} attributes
 * @param {...string} children
 */
function svg(tag, attributes, ...children) {
  const created = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, String(value));
  created.append(...children);
  return created;
}
