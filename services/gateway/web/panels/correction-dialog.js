/** The dialog over one prediction: the image large, what every model said, and the class it really is. */

import { Bars } from "../components/probability-bars.js";
import { Classes } from "../components/class-picker.js";
import { element, write } from "../lib/dom.js";
import { NO_CLASSES } from "../lib/class-order.js";
import { LATER } from "../api/label-history.js";
import { verdict } from "../components/tile.js";
import { natural, outcomeSentence, percent, quoted, took } from "../lib/format.js";

const VERDICTS = { right: "✓ right: it is", wrong: "✕ wrong: it is", none: "it is" };

/** The longest side of the largest thumbnail, in pixels. */
const LARGEST = 1024;

/** Event: `closed` (detail: the id last shown). */
export class Correction extends EventTarget {
  #dialog;
  #api;
  #teaching;
  #neighbour;
  #stream = null;
  #classes = NO_CLASSES;
  #prediction = null;
  #parts = {};

  /** `neighbour(id, step)` gives the prediction beside one in the gallery, or null. */
  constructor(dialog, api, teaching, neighbour) {
    super();
    this.#dialog = dialog;
    this.#api = api;
    this.#teaching = teaching;
    this.#neighbour = neighbour;
    this.#build();
    dialog.addEventListener("keydown", (event) => this.#pressed(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.dispatchEvent(new CustomEvent("closed", { detail: this.#prediction?.id })));
  }

  get open() {
    return this.#dialog.open;
  }

  /** `classes`: those that the stream knows, as ClassOrder gives them. */
  show(stream, prediction, classes) {
    this.#stream = stream;
    this.#classes = classes;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#turnTo(prediction);
    this.#focusOwn();
  }

  close() {
    this.#dialog.close();
  }

  /** New classes appear while the dialog is open; a picture that is opened at once comes before the first of them. */
  offer(classes) {
    this.#classes = classes;
    if (!this.#dialog.open) return;
    const waited = this.#parts.classes.waiting;
    this.#parts.classes.show(classes, this.#prediction.truth, this.#prediction.probabilities);
    if (waited) this.#focusOwn();
  }

  /** What Undo would do now may be of another image. */
  remember() {
    const next = this.#stream === null ? null : this.#teaching.next(this.#stream);
    this.#parts.undo.disabled = next === null;
    this.#parts.undo.title = next ?? "Nothing to undo";
  }

  /** The outcome of a label, whoever gave it. */
  settle(outcome) {
    if (outcome.id !== this.#prediction?.id) return;
    write(this.#parts.outcome, outcomeSentence(outcome));
    if (!took(outcome)) return;
    this.#prediction = { ...this.#prediction, truth: outcome.label };
    this.#paint();
  }

  #build() {
    const parts = this.#parts;
    parts.image = element("img", { className: "portrait", alt: "The image" });
    parts.image.addEventListener("error", () => this.#showSmaller());
    parts.image.addEventListener("load", () => parts.image.classList.toggle("small", parts.image.naturalWidth < 160));
    parts.title = element("h2", { id: "correction-title" });
    parts.verdict = element("span", { className: "verdict" });
    parts.models = element("dl", { className: "said" });
    parts.bars = new Bars((parts.barList = element("ul", { "aria-label": "Probabilities" })));
    parts.choices = element("div", { className: "teach" });
    parts.outcome = element("p", { className: "outcome", role: "status" });
    parts.retract = this.#button("Take the label back", () => this.#teach(null), "quiet");
    parts.undo = this.#button("Undo", () => this.#teaching.undo(this.#stream), "quiet");
    parts.facts = element("p", { className: "muted facts" });
    parts.before = this.#button("← Previous", () => this.#step(-1), "quiet");
    parts.after = this.#button("Next →", () => this.#step(1), "quiet");
    const close = this.#button("Close", () => this.#dialog.close(), "quiet");
    const head = element("header", { className: "card-head" }, parts.title, parts.verdict);
    const left = element("div", { className: "left" }, parts.image, parts.models);
    const right = element("div", { className: "right" }, parts.barList, element("h3", {}, "What is it really?"), parts.choices, parts.outcome, element("div", { className: "row" }, parts.retract, parts.undo));
    const foot = element("footer", { className: "row" }, parts.before, parts.after, parts.facts, close);
    this.#dialog.append(head, element("div", { className: "columns" }, left, right), foot);
    parts.classes = new Classes(parts.choices, (label) => this.#teach(label));
  }

  #button(text, act, look) {
    const button = element("button", { type: "button", className: look }, text);
    button.addEventListener("click", act);
    return button;
  }

  /** What no browser shows as it was sent (HEIC, TIFF), it shows as a thumbnail. */
  #showSmaller() {
    const smaller = this.#api.imageUrl(this.#stream, this.#prediction.id, LARGEST);
    if (this.#parts.image.src !== smaller) this.#parts.image.src = smaller;
  }

  #turnTo(prediction) {
    this.#prediction = prediction;
    this.#parts.image.src = this.#api.imageUrl(this.#stream, prediction.id);
    write(this.#parts.outcome, "");
    this.#parts.bars.clear();
    this.#parts.classes.turn();
    this.#paint();
  }

  #paint() {
    const { label, truth, probabilities, models, position, id, at, model, unknown } = this.#prediction;
    const parts = this.#parts;
    const sure = label === null ? "" : `, ${percent(probabilities[label] ?? 0)}`;
    write(parts.title, label === null ? (unknown ? "Unsure: none of the known classes" : "Not predicted yet") : `Predicted ${quoted(label)}${sure}`);
    write(parts.verdict, truth === null ? "no label yet" : `${VERDICTS[verdict(label, truth)]} ${quoted(truth)}`);
    parts.verdict.dataset.verdict = verdict(label, truth);
    parts.bars.show(probabilities, this.#classes.labels);
    parts.models.replaceChildren(...said(models, model, truth));
    parts.classes.show(this.#classes, truth, probabilities);
    parts.retract.disabled = truth === null;
    parts.before.disabled = !this.#neighbour(id, -1);
    parts.after.disabled = !this.#neighbour(id, 1);
    this.remember();
    this.#keepFocus();
    write(parts.facts, `${id}\nposition ${position}, ${new Date(at).toLocaleString()}${carried(this.#prediction)}`);
  }

  /** A button that has been pressed and is of no more use would take the focus, and the keys, out of the dialog. */
  #keepFocus() {
    const focused = document.activeElement;
    if (this.#dialog.open && (focused === document.body || focused.disabled)) this.#focusOwn();
  }

  /** Enter says of this image what is in focus: its own class, or nothing where it has none. */
  #focusOwn() {
    const { truth, label } = this.#prediction;
    this.#parts.classes.focus(truth ?? label);
  }

  /** Whatever had the focus meant the image before, but for the buttons that walk on. */
  #step(by) {
    const next = this.#neighbour(this.#prediction.id, by);
    if (!next) return;
    this.#turnTo(next);
    if (![this.#parts.before, this.#parts.after].includes(document.activeElement)) this.#focusOwn();
  }

  #pressed(event) {
    if (event.target.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") this.#step(1);
    else if (event.key === "ArrowLeft") this.#step(-1);
    else if (event.key === "u") this.#teaching.undo(this.#stream);
    else if (!this.#parts.classes.press(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  async #teach(label) {
    const [stream, { id }] = [this.#stream, this.#prediction];
    const say = (text) => this.#stream === stream && this.#prediction.id === id && write(this.#parts.outcome, text);
    say(label === null ? "Taking it back…" : `Teaching ${quoted(label)}…`);
    try {
      if (!(await this.#teaching.teach(stream, id, label))) say(LATER);
    } catch (problem) {
      say(`Not sent. ${problem.message}`);
    }
  }
}

/** The attributes that came with the image, a line each. */
function carried({ attributes = {} }) {
  return Object.entries(attributes).map(([name, value]) => `\n${name}: ${value}`).join("");
}

function said(models, champion, truth) {
  const names = [champion, ...natural(Object.keys(models)).filter((name) => name !== champion)].filter((name) => name in models);
  return names.map((name) => {
    const mark = { right: " ✓", wrong: " ✕" }[verdict(models[name], truth)] ?? "";
    return element("div", {}, element("dt", {}, name), element("dd", {}, `${models[name] ?? "nothing yet"}${mark}`));
  });
}
