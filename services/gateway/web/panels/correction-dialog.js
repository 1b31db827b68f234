/** The dialog over one prediction: the image large, what every model predicted, and the class it really is. */

import { messageOf } from "../api/errors.js";
import { OUTCOME_PENDING } from "../api/label-history.js";
import { ClassPicker } from "../components/class-picker.js";
import { ProbabilityBars } from "../components/probability-bars.js";
import { ExampleImage } from "../components/example-image.js";
import { SimilarImages } from "../components/similar-images.js";
import { button, element, setText, targetElement } from "../lib/dom.js";
import { describeSet } from "../lib/evidence.js";
import { formatPercent, quote } from "../lib/format.js";
import { sortNaturally } from "../lib/labels.js";
import { describeOutcome, isApplied, judge } from "../lib/outcome.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { LabelHistory } from "../api/label-history.js" */
/** @import { LabelReason, Outcome, Prediction } from "../api/types.js" */
/** @import { ClassChoices } from "../lib/class-order.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

const VERDICTS = { open: "no label yet", right: "✓ right: it is", wrong: "✕ wrong: it is", none: "it is" };

/** The longest side of the largest thumbnail that the gateway makes, in pixels. */
const LARGEST_THUMBNAIL = 1024;

/** Event: `closed` (detail: the id last shown). @implements {Panel} */
export class CorrectionDialog extends EventTarget {
  #dialog;
  #client;
  #history;
  #neighbour;
  #reasonOf;
  #stream = "";
  /** @type {ClassChoices | null} */
  #classes = null;
  /** What is shown, or was last. @type {Prediction | null} */
  #prediction = null;
  #title = element("h2", { id: "correction-title" });
  #verdict = element("span", { className: "verdict" });
  #image = new ExampleImage({ className: "portrait", alt: "The image" }, () => this.#thumbnail());
  #models = element("dl", { className: "model-predictions" });
  #bars = new ProbabilityBars();
  #set = element("p", { className: "muted set" });
  #picker = new ClassPicker((label) => this.#submit(label));
  #outcome = element("p", { className: "outcome", role: "status" });
  #retract = button("Take the label back", () => this.#submit(null), "quiet");
  #undo = button("Undo", () => this.#history.undo(this.#stream), "quiet");
  #previous = button("← Previous", () => this.#move(-1), "quiet");
  #next = button("Next →", () => this.#move(1), "quiet");
  #facts = element("p", { className: "muted facts" });
  #past = element("p", { className: "muted" });
  #similar;

  /**
   * @param {HTMLDialogElement} dialog
   * @param {object} parts
   * @param {GatewayClient} parts.client
   * @param {LabelHistory} parts.history
   * @param {(id: string, offset: number) => Prediction | null} parts.neighbour the prediction beside one in the gallery
   * @param {(id: string) => LabelReason | undefined} parts.reasonOf how the gallery chose an image to be labelled
   */
  constructor(dialog, { client, history, neighbour, reasonOf }) {
    super();
    this.#dialog = dialog;
    this.#client = client;
    this.#history = history;
    this.#neighbour = neighbour;
    this.#reasonOf = reasonOf;
    this.#similar = new SimilarImages(client);
    this.#build();
    history.addEventListener("change", () => this.#showUndo());
    dialog.addEventListener("keydown", (event) => this.#onKey(event));
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => {
      this.dispatchEvent(new CustomEvent("closed", { detail: this.#prediction?.id }));
    });
  }

  /** @param {string} stream */
  reset(stream) {
    this.#dialog.close();
    this.#stream = stream;
    this.#classes = null;
  }

  /**
   * Classes may come while the dialog is open; before the first of them, the focus had no class to be on.
   * @param {Snapshot} snapshot
   */
  update({ classes }) {
    this.#classes = classes;
    if (!this.#dialog.open || this.#prediction === null) return;
    const awaitedClasses = this.#picker.awaitsClasses;
    this.#picker.update(classes, this.#prediction.truth, this.#prediction.probabilities);
    if (awaitedClasses) this.#focusClass();
  }

  /** @param {Outcome} outcome */
  applyOutcome(outcome) {
    if (this.#prediction === null || outcome.id !== this.#prediction.id) return;
    setText(this.#outcome, describeOutcome(outcome));
    if (!isApplied(outcome)) return;
    this.#paint({ ...this.#prediction, truth: outcome.label });
  }

  /** @param {Prediction} prediction of the stream that is followed */
  open(prediction) {
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#turnTo(prediction);
    this.#focusClass();
  }

  #build() {
    const undoRow = element("div", { className: "row" }, this.#retract, this.#undo);
    const question = element("h3", {}, "What is it really?");
    const left = element("div", { className: "left" }, this.#image.root, this.#models, this.#past);
    const right = element("div", { className: "right" });
    right.append(this.#bars.root, this.#set, question, this.#picker.root, this.#outcome, undoRow, this.#similar.root);
    const close = button("Close", () => this.#dialog.close(), "quiet");
    this.#dialog.append(
      element("header", { className: "card-head" }, this.#title, this.#verdict),
      element("div", { className: "columns" }, left, right),
      element("footer", { className: "row" }, this.#previous, this.#next, this.#facts, close),
    );
  }

  /** What no browser shows as it was sent (HEIC, TIFF), it shows as a thumbnail. */
  #thumbnail() {
    if (this.#prediction === null) return null;
    return this.#client.imageUrl(this.#stream, this.#prediction.id, LARGEST_THUMBNAIL);
  }

  /** @param {Prediction} prediction */
  #turnTo(prediction) {
    this.#image.show(prediction.image === null ? null : this.#client.imageUrl(this.#stream, prediction.id));
    setText(this.#outcome, "");
    this.#bars.clear();
    this.#picker.clear();
    void this.#similar.show(this.#stream, prediction.id);
    this.#paint(prediction);
  }

  /** @param {Prediction} prediction */
  #paint(prediction) {
    this.#prediction = prediction;
    const { id, label, truth, probabilities } = prediction;
    const verdict = judge(label, truth);
    setText(this.#title, titleOf(prediction));
    setText(this.#verdict, truth === null ? VERDICTS.open : `${VERDICTS[verdict]} ${quote(truth)}`);
    this.#verdict.dataset.verdict = verdict;
    this.#bars.update(probabilities, this.#classes?.labels ?? []);
    setText(this.#set, describeSet(prediction) ?? "");
    setText(this.#past, pastOf(prediction));
    this.#models.replaceChildren(...modelRows(prediction));
    this.#picker.update(this.#classes, truth, probabilities);
    this.#retract.disabled = truth === null;
    this.#previous.disabled = this.#neighbour(id, -1) === null;
    this.#next.disabled = this.#neighbour(id, 1) === null;
    this.#showUndo();
    this.#keepFocus();
    setText(this.#facts, factsOf(prediction));
  }

  #showUndo() {
    const description = this.#history.describeUndo(this.#stream);
    this.#undo.disabled = description === null;
    this.#undo.title = description ?? "Nothing to undo";
  }

  /** A button that is disabled as it is pressed would take the focus, and with it the keys, out of the dialog. */
  #keepFocus() {
    const focused = document.activeElement;
    const isLost = focused === document.body || (focused instanceof HTMLButtonElement && focused.disabled);
    if (this.#dialog.open && isLost) this.#focusClass();
  }

  /** On the image's own class, or on none where it has none: Enter then labels it with what it shows, or with nothing. */
  #focusClass() {
    this.#picker.focus(this.#prediction?.truth ?? this.#prediction?.label ?? null);
  }

  /**
   * Turns to a neighbour. Whatever had the focus meant the image before, but for the two buttons that turn.
   * @param {number} offset
   */
  #move(offset) {
    const neighbour = this.#prediction && this.#neighbour(this.#prediction.id, offset);
    if (!neighbour) return;
    this.#turnTo(neighbour);
    const focused = document.activeElement;
    if (focused !== this.#previous && focused !== this.#next) this.#focusClass();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (targetElement(event)?.matches("input") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowRight") this.#move(1);
    else if (event.key === "ArrowLeft") this.#move(-1);
    else if (event.key === "u") void this.#history.undo(this.#stream);
    else if (!this.#picker.press(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * The answer may come when the dialog shows another image, or another stream: then nothing is said here.
   * @param {string | null} label null takes the label back
   */
  async #submit(label) {
    if (this.#prediction === null) return;
    const [stream, { id, truth }] = [this.#stream, this.#prediction];
    const why = truth === null ? this.#reasonOf(id) : "correction";
    /** @param {string} text */
    const report = (text) => {
      if (this.#stream === stream && this.#prediction?.id === id) setText(this.#outcome, text);
    };
    report(label === null ? "Taking it back…" : `Teaching ${quote(label)}…`);
    try {
      const outcome = await this.#history.submit(stream, id, label, label === null ? undefined : why);
      if (outcome === null) report(OUTCOME_PENDING);
    } catch (error) {
      report(`Not sent. ${messageOf(error)}`);
    }
  }
}

/** @param {Prediction} prediction */
function titleOf({ label, probabilities, unknown }) {
  if (label !== null) return `Predicted ${quote(label)}, ${formatPercent(probabilities[label] ?? 0)}`;
  return unknown ? "Unsure: none of the known classes" : "Not predicted yet";
}

/**
 * Beside an opinion of now, what was predicted when the image came: that is what is scored.
 * @param {Prediction} prediction
 */
function pastOf({ past }) {
  if (past === undefined) return "";
  return `So it is predicted now; when it came: ${past.label ?? (past.unknown ? "unsure" : "nothing yet")}.`;
}

/**
 * Where the image is in the log, when it was predicted, and the attributes that came with it, a line each.
 * @param {Prediction} prediction
 */
function factsOf({ id, position, at, attributes = {} }) {
  const lines = Object.entries(attributes).map(([name, value]) => `${name}: ${value}`);
  return [id, `position ${position}, ${new Date(at).toLocaleString()}`, ...lines].join("\n");
}

/**
 * What each model predicted, the champion of that time first.
 * @param {Prediction} prediction
 */
function modelRows({ models, model: champion, truth }) {
  const others = sortNaturally(Object.keys(models)).filter((name) => name !== champion);
  const names = champion in models ? [champion, ...others] : others;
  return names.map((name) => {
    const mark = { right: " ✓", wrong: " ✕", none: "", open: "" }[judge(models[name], truth)];
    return element("div", {}, element("dt", {}, name), element("dd", {}, `${models[name] ?? "nothing yet"}${mark}`));
  });
}
