/** The table of models: legend of the curve and their metrics side by side. */

import { SERIES_COLOURS } from "./accuracy-chart.js";
import { element, write } from "../lib/dom.js";
import { count, decimal, percent } from "../lib/format.js";

const COLUMNS = [
  ["Accuracy", (model) => percent(model.accuracy)],
  ["Recent", (model) => percent(model.window_accuracy)],
  ["Fading", (model) => percent(model.fading_accuracy), "Each label weighs a little less than the one after it"],
  ["Kappa", (model) => decimal(model.kappa)],
  ["Log loss", (model) => decimal(model.log_loss)],
  ["Drifts", (model) => count(model.drifts), "How often its error was found to change"],
  ["Scored", (model) => count(model.scored)],
];

/** The names of a stream's models, the champion first: also the order of their colours. */
export function modelNames(status) {
  return [status.champion, ...Object.keys(status.models).filter((name) => name !== status.champion)];
}

export class Models {
  #body = element("tbody");
  #rows = new Map();

  constructor(root) {
    const heads = [["Model"], ...COLUMNS.map(([name, , meaning]) => [name, meaning])];
    root.append(
      element("caption", { className: "hidden" }, "Models and their metrics"),
      element("thead", {}, element("tr", {}, ...heads.map(([text, title]) => element("th", { scope: "col", title }, text)))),
      this.#body,
    );
  }

  reset() {
    this.#rows.clear();
    this.#body.replaceChildren();
  }

  show(status) {
    const names = modelNames(status);
    if (names.join() !== [...this.#rows.keys()].join()) this.#rebuild(names);
    for (const name of names) {
      const model = status.models[name] ?? {};
      COLUMNS.forEach(([, text], at) => write(this.#rows.get(name)[at], text(model)));
    }
  }

  #rebuild(names) {
    this.reset();
    names.forEach((name, index) => {
      const cells = COLUMNS.map(() => element("td"));
      const swatch = element("span", { className: `swatch series-${(index % SERIES_COLOURS) + 1}` });
      const head = element("th", { scope: "row" }, element("span", { className: "model", title: name }, swatch, name), ...(index === 0 ? [champion()] : []));
      this.#rows.set(name, cells);
      this.#body.append(element("tr", {}, head, ...cells));
    });
  }
}

function champion() {
  return element("span", { className: "badge", title: "Its answers are served" }, "champion");
}
