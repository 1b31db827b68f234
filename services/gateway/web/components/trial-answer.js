/** The prediction for one picture that people try; and, where they ask for it, the picture added to the stream with a label. */

import { addImage } from "../api/add-image.js";
import { messageOf } from "../api/errors.js";
import { OUTCOME_PENDING } from "../api/label-history.js";
import { button, element, setText } from "../lib/dom.js";
import { describeSet } from "../lib/evidence.js";
import { formatPercent, quote } from "../lib/format.js";
import { describeOutcome, isApplied } from "../lib/outcome.js";
import { ClassPicker } from "./class-picker.js";
import { ProbabilityBars } from "./probability-bars.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { LabelHistory } from "../api/label-history.js" */
/** @import { Outcome, Prediction } from "../api/types.js" */
/** @import { ClassChoices } from "../lib/class-order.js" */
/** @import { Trial } from "../lib/trial.js" */

const INVITATION = "Draw or drop a picture. The model answers by itself, and nothing is recorded.";
const NOT_ADDED = "Only a trial: nothing is recorded. Add it, or say what it is, and it becomes part of the stream.";
const ADDED = "It is part of the stream. Say what it is, or correct what you said.";
const FIRST_PICTURE = "This stream begins with its first picture: add this one, or say what it is.";

/** Characters: a longer label does not fit beside the picture in the size of a digit. */
const LARGE_LABEL = 4;

/** Shows one Trial at a time. */
export class TrialAnswer {
  #client;
  #history;
  /** @type {ClassChoices | null} */
  #classes = null;
  #lead = element("span", { className: "lead" });
  #label = element("strong");
  #confidence = element("span", { className: "lead" });
  #bars = new ProbabilityBars();
  #set = element("p", { className: "muted set" });
  #picker = new ClassPicker((label) => this.#submitLabel(label));
  #state = element("p", { className: "muted" });
  #outcome = element("p", { className: "outcome", role: "status" });
  #askAgain;
  #add = button("Add to the stream", () => this.#addToStream(), "quiet");
  #undo = button("Undo", () => this.trial && this.#history.undo(this.trial.stream), "quiet");
  /** The answer in words, to stand beside the picture. */
  headline = element("p", { className: "headline", role: "status" }, this.#lead, " ", this.#label, " ", this.#confidence);
  /** Everything below it. */
  root = element("div", { className: "answer" });
  /** The picture that is shown. @type {Trial | null} */
  trial = null;

  /**
   * @param {object} parts
   * @param {GatewayClient} parts.client
   * @param {LabelHistory} parts.history
   * @param {() => unknown} parts.onAskAgain called for the same picture
   */
  constructor({ client, history, onAskAgain }) {
    this.#client = client;
    this.#history = history;
    this.#askAgain = button("Ask again", onAskAgain);
    this.#askAgain.title = "Ask the model as it is now about the same picture";
    const buttons = element("div", { className: "row" }, this.#askAgain, this.#add, this.#undo);
    const question = element("h3", {}, "What is it?");
    this.root.append(this.#bars.root, this.#set, question, this.#picker.root, this.#state, this.#outcome, buttons);
    history.addEventListener("change", () => this.#enableControls());
    this.show(null);
  }

  /** Whether somebody is about to say what this picture is. */
  get isInUse() {
    return this.#picker.hasFocus;
  }

  /** @param {ClassChoices | null} classes null until they are known */
  setClasses(classes) {
    this.#classes = classes;
    this.#paint();
  }

  /**
   * @param {string} lead
   * @param {string} [label]
   * @param {string} [confidence]
   */
  setHeadline(lead, label = "", confidence = "") {
    setText(this.#lead, lead);
    setText(this.#label, label);
    setText(this.#confidence, confidence);
    this.#label.classList.toggle("long", label.length > LARGE_LABEL);
  }

  /**
   * A picture is being asked about; the bars stay where they are until the answer is there.
   * @param {Trial} trial
   */
  showWaiting(trial) {
    this.#turnTo(trial);
    this.setHeadline("Asking…");
    setText(this.#outcome, "");
    this.#enableControls(false);
  }

  /** @param {Trial | null} trial */
  show(trial) {
    this.#turnTo(trial);
    this.setHeadline(...headlineOf(trial));
    this.#paint();
  }

  /**
   * Takes a number key; false where it stands for nothing.
   * @param {string} key
   */
  press(key) {
    return this.#canBeAdded && this.#picker.press(key);
  }

  /** @param {Outcome} outcome of any image of the stream */
  applyOutcome(outcome) {
    const recorded = this.trial?.recorded;
    if (!recorded || recorded.id !== outcome.id) return;
    setText(this.#outcome, `${describeOutcome(outcome)}${isApplied(outcome) ? " Ask again to see the difference." : ""}`);
    if (!isApplied(outcome)) return;
    recorded.truth = outcome.label;
    this.#paint();
  }

  get #canBeAdded() {
    return this.trial?.canBeAdded ?? false;
  }

  /**
   * What was typed, or has the focus, for another picture is not for this one.
   * @param {Trial | null} trial
   */
  #turnTo(trial) {
    if (trial !== this.trial) {
      this.#picker.clear();
      setText(this.#outcome, "");
    }
    this.trial = trial;
  }

  #paint() {
    const probabilities = this.trial?.prediction?.probabilities ?? {};
    setText(this.#set, describeSet(this.trial?.prediction ?? {}) ?? "");
    this.#bars.update(probabilities, this.#classes?.labels ?? [], this.trial?.previousProbabilities);
    this.#picker.update(this.#classes, this.trial?.truth ?? null, probabilities);
    this.#enableControls();
  }

  #enableControls(isEnabled = this.#canBeAdded) {
    const trial = this.trial;
    const undo = trial && this.#history.describeUndo(trial.stream);
    setText(this.#state, isEnabled && trial ? stateOf(trial) : "");
    this.#picker.disabled = !isEnabled;
    this.#askAgain.disabled = !isEnabled;
    this.#add.disabled = !isEnabled || Boolean(trial?.recording);
    this.#undo.disabled = !undo;
    this.#undo.title = undo ?? "Nothing to undo";
  }

  /**
   * Says something of a picture, unless another one is shown by now.
   * @param {Trial} trial
   * @param {string} text
   */
  #report(trial, text) {
    if (this.trial === trial) setText(this.#outcome, text);
  }

  /**
   * Adds the picture to its stream, once, and says how that went; null where it failed.
   * @returns {Promise<Prediction | null>}
   */
  async #addToStream() {
    const trial = this.trial;
    if (trial === null) return null;
    /** @param {string} text */
    const report = (text) => this.#report(trial, text);
    if (!trial.recorded) report("Adding it to the stream…");
    try {
      const recording = trial.record((image) => addImage(this.#client, trial.stream, image, report));
      this.#enableControls();
      const recorded = await recording;
      report(`Added to the stream as image ${recorded.id}.`);
      return recorded;
    } catch (error) {
      report(`Not added. ${messageOf(error)}`);
      return null;
    } finally {
      if (this.trial === trial) this.#paint();
    }
  }

  /**
   * A label needs an image that is in the stream: a picture that is not is added first.
   * @param {string} label
   */
  async #submitLabel(label) {
    const trial = this.trial;
    if (trial === null) return;
    const recorded = trial.recorded ?? (await this.#addToStream());
    if (recorded === null) return;
    const why = recorded.truth === null ? undefined : "correction";
    this.#report(trial, `Teaching ${quote(label)}…`);
    try {
      const outcome = await this.#history.submit(trial.stream, recorded.id, label, why);
      if (outcome === null) this.#report(trial, OUTCOME_PENDING);
    } catch (error) {
      this.#report(trial, `Not sent. ${messageOf(error)}`);
    }
  }
}

/** @param {Trial} trial */
function stateOf(trial) {
  if (trial.recorded) return ADDED;
  return trial.failure?.status === 404 ? FIRST_PICTURE : NOT_ADDED;
}

/**
 * The answer in up to three parts: what leads to it, the label, how sure.
 * @param {Trial | null} trial
 * @returns {[string, string?, string?]}
 */
function headlineOf(trial) {
  if (trial === null) return [INVITATION];
  if (trial.failure?.status === 404) return ["Nobody can say yet: this stream has no picture."];
  if (trial.failure) return [trial.failure.message];
  if (trial.prediction === null) return [""];
  const { label, probabilities, unknown } = trial.prediction;
  if (unknown) return ["It looks like none of the classes it knows. Tell it which one it is."];
  if (label === null) return ["The model knows no class yet. Tell it the first one."];
  return ["It looks like", label, `${formatPercent(probabilities[label] ?? 0, 0)} sure`];
}
