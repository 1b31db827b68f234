/** Precision, recall and support of each class of one model. */

import { element, write } from "../lib/dom.js";
import { NONE, count, natural, percent } from "../lib/format.js";

const MOST = 50;
const COLUMNS = ["Class", "Scored", "Precision", "Recall", "F1", "Forgotten"];
const FORGOTTEN = "Its best recall in a stretch of the stream, less that in the newest one";

export class Report {
  #root;
  #body = element("tbody");
  #rows = new Map();
  #more = element("p", { className: "muted" });
  #empty = element("p", { className: "empty" }, "Each class appears with its first scored label.");
  #table;

  constructor(root) {
    this.#root = root;
    const heads = COLUMNS.map((name) => element("th", { scope: "col", title: name === "Forgotten" ? FORGOTTEN : undefined }, name));
    this.#table = element("table", { className: "classes" }, element("thead", {}, element("tr", {}, ...heads)), this.#body);
    root.append(this.#empty, element("div", { className: "scroll", role: "region", "aria-label": "Table of the classes", tabIndex: 0 }, this.#table), this.#more);
    this.reset();
  }

  reset() {
    this.show({});
  }

  /** `classes` as the API gives them; the 50 most frequent are shown. */
  show(classes) {
    const all = Object.keys(classes);
    const frequent = [...all].sort((a, b) => classes[b].support - classes[a].support).slice(0, MOST);
    const names = natural(frequent);
    if (names.join("\n") !== [...this.#rows.keys()].join("\n")) this.#rebuild(names);
    for (const name of names) this.#fill(this.#rows.get(name), classes[name]);
    this.#empty.hidden = names.length > 0;
    this.#table.hidden = names.length === 0;
    write(this.#more, all.length > MOST ? `and ${count(all.length - MOST)} rarer classes` : "");
  }

  #rebuild(names) {
    this.#rows = new Map(names.map((name) => [name, COLUMNS.slice(1).map(() => element("td"))]));
    const rows = [...this.#rows].map(([name, cells]) => element("tr", {}, element("th", { scope: "row", title: name }, name), ...cells));
    this.#body.replaceChildren(...rows);
  }

  #fill(cells, one) {
    const f1 = one.f1 ?? harmonic(one.precision, one.recall);
    const shares = [one.precision, one.recall, f1];
    write(cells[0], count(one.support));
    shares.forEach((share, at) => {
      write(cells[at + 1], percent(share));
      cells[at + 1].style.setProperty("--share", share ?? 0);
      cells[at + 1].className = "share";
    });
    write(cells[4], one.forgetting == null ? NONE : percent(one.forgetting));
  }
}

function harmonic(precision, recall) {
  if (precision == null || recall == null) return null;
  return precision + recall === 0 ? 0 : (2 * precision * recall) / (precision + recall);
}
