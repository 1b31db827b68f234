/** What the gallery shows: newest, most uncertain or wrong, of a predicted or a true class, by which model; and the button that holds it still. */

import { element, options, segments } from "../lib/dom.js";
import { natural } from "../lib/format.js";

const KINDS = [
  ["recent", "Newest"],
  ["uncertain", "Uncertain"],
  ["wrong", "Wrong"],
];
const NOTES = {
  recent: "As they come. Choose one to see more or to correct it.",
  uncertain: "Without a label, the least sure first: labels teach most here.",
  wrong: "Predicted one thing, labelled another, the newest first.",
};
const EMPTY = {
  recent: (stream, commands) => `Nothing here yet. Draw or upload a picture and add it${commands ? `, or type: ${commands.folder(stream)}` : ""}.`,
  uncertain: () => "Nothing uncertain here: every image has its label.",
  wrong: () => "Nothing wrong here.",
};

/** Events: `change` of the filter, `hold` of the button. */
export class Filters extends EventTarget {
  #kind = "recent";
  #kinds = element("div", { className: "segments", role: "radiogroup", "aria-label": "Which predictions", id: "gallery-kind" });
  #predicted = element("select");
  #truth = element("select");
  #model = element("select");
  #byModel = field("By", this.#model, "Predicted by");
  #button = element("button", { type: "button", className: "quiet", "aria-pressed": "false" }, "Pause");
  held = false;
  /** What to type for pictures of one's own. */
  commands = null;

  constructor(root) {
    super();
    segments(this.#kinds, KINDS, this.#kind, (kind) => this.#change(() => (this.#kind = kind)));
    for (const select of [this.#predicted, this.#truth, this.#model]) select.addEventListener("change", () => this.#change(() => {}));
    this.#button.addEventListener("click", () => this.#toggle());
    root.append(this.#kinds, field("Predicted", this.#predicted, "Only those predicted as"), field("Is", this.#truth, "Only those that are"), this.#byModel, this.#button);
    this.offer([], []);
  }

  /** Another stream has other models. */
  reset() {
    this.#model.value = "";
  }

  /** `models`: the champion first; with challengers, one of them may be looked at. */
  offer(labels, models) {
    const [champion, ...challengers] = models;
    this.#byModel.hidden = challengers.length === 0;
    options(this.#model, [["", champion ?? ""], ...challengers.map((name) => [name, name])]);
    const choices = [["", "any"], ...natural(labels).map((label) => [`=${label}`, label])];
    options(this.#predicted, choices);
    options(this.#truth, choices);
  }

  /** Shows the images of one cell of the confusion matrix. */
  choose({ predicted, truth, model }) {
    this.#change(() => {
      this.#kind = "recent";
      this.#kinds.querySelector("input[value=recent]").checked = true;
      this.#predicted.value = `=${predicted}`;
      this.#truth.value = `=${truth}`;
      this.#model.value = model ?? "";
    });
  }

  /** Whether predictions can be shown as they come; otherwise the list has to be asked for again. */
  get live() {
    return this.#kind === "recent" && this.truth === undefined;
  }

  get predicted() {
    return this.#predicted.value ? this.#predicted.value.slice(1) : undefined;
  }

  get truth() {
    return this.#truth.value ? this.#truth.value.slice(1) : undefined;
  }

  /** The challenger whose predictions these are; undefined: the champion's. */
  get model() {
    return this.#model.value || undefined;
  }

  get note() {
    return this.model ? `${NOTES[this.#kind]} As ${this.model} predicted them.` : NOTES[this.#kind];
  }

  emptyText(stream) {
    const some = this.predicted !== undefined || this.truth !== undefined;
    return some ? "No image here is of these classes." : EMPTY[this.#kind](stream, this.commands);
  }

  query(limit) {
    const sort = this.#kind === "uncertain" ? "uncertain" : "recent";
    const wrong = this.#kind === "wrong" ? true : undefined;
    const truth = this.truth ?? (sort === "uncertain" ? "" : undefined);
    return { sort, wrong, predicted: this.predicted, truth, model: this.model, limit };
  }

  accepts(prediction) {
    const label = this.model ? prediction.models[this.model] : prediction.label;
    return this.predicted === undefined || label === this.predicted;
  }

  #change(how) {
    how();
    this.dispatchEvent(new Event("change"));
  }

  #toggle() {
    this.held = !this.held;
    this.#button.setAttribute("aria-pressed", String(this.held));
    this.#button.textContent = this.held ? "Resume" : "Pause";
    this.dispatchEvent(new Event("hold"));
  }
}

function field(name, control, spoken) {
  control.setAttribute("aria-label", spoken);
  return element("label", { className: "field" }, element("span", {}, name), control);
}
