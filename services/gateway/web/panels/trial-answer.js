/** What the model says of one picture that is tried here; and, where people ask for it, the picture added to the stream with a label. */

import { add } from "../api/add-image.js";
import { Bars } from "../components/probability-bars.js";
import { Classes } from "../components/class-picker.js";
import { element, write } from "../lib/dom.js";
import { NO_CLASSES } from "../lib/class-order.js";
import { LATER } from "../api/label-history.js";
import { outcomeSentence, percent, quoted, took } from "../lib/format.js";

const INVITE = "Draw or drop a picture. The model answers by itself, and nothing is recorded.";
const TRIAL = "Only a trial: nothing is recorded. Add it, or say what it is, and it becomes part of the stream.";
const ADDED = "It is part of the stream. Say what it is, or correct what you said.";
const BEGIN = "This stream begins with its first picture: add this one, or say what it is.";

export class Answer {
  #api;
  #teaching;
  #classes = NO_CLASSES;
  #lead = element("span", { className: "lead" });
  #word = element("strong");
  #tail = element("span", { className: "lead" });
  #barList = element("ul", { "aria-label": "Probabilities" });
  #bars = new Bars(this.#barList);
  #choice;
  #state = element("p", { className: "muted" });
  #outcome = element("p", { className: "outcome", role: "status" });
  #add = element("button", { type: "button", className: "quiet" }, "Add to the stream");
  #undo = element("button", { type: "button", className: "quiet" }, "Undo");
  #again = element("button", { type: "button" }, "Ask again");
  subject = null;

  /** `says` holds the answer in words, beside the picture; `root` everything below; `onAgain()` asks for the same picture. */
  constructor(says, root, api, teaching, onAgain) {
    this.#api = api;
    this.#teaching = teaching;
    const choices = element("div", { className: "teach" });
    this.#choice = new Classes(choices, (label) => this.#teach(label));
    this.#add.addEventListener("click", () => this.#record());
    this.#undo.addEventListener("click", () => teaching.undo(this.subject.stream));
    this.#again.addEventListener("click", onAgain);
    this.#again.title = "Ask the model as it is now about the same picture";
    says.append(element("p", { className: "headline", role: "status" }, this.#lead, " ", this.#word, " ", this.#tail));
    root.append(this.#barList, element("h3", {}, "What is it?"), choices, this.#state, this.#outcome, element("div", { className: "row" }, this.#again, this.#add, this.#undo));
    this.show(null);
  }

  /** Whether somebody is about to say what this picture is. */
  get busy() {
    return this.#choice.focused;
  }

  offer(classes) {
    this.#classes = classes;
    this.#paint();
  }

  /** What Undo would do now has changed. */
  remember() {
    this.#enable();
  }

  say(lead, word = "", tail = "") {
    write(this.#lead, lead);
    write(this.#word, word);
    write(this.#tail, tail);
    this.#word.classList.toggle("long", word.length > 4);
  }

  /** The picture is being asked about; the bars stay where they are until the answer is there. */
  wait(subject) {
    this.#turnTo(subject);
    this.say("Asking…");
    write(this.#outcome, "");
    this.#enable(false);
  }

  show(subject) {
    this.#turnTo(subject);
    this.say(...headline(subject));
    this.#paint();
  }

  press(key) {
    return this.#ready && this.#choice.press(key);
  }

  /** The truth of the picture, whoever told it. */
  settle(outcome) {
    const { recorded } = this.subject ?? {};
    if (!recorded || recorded.id !== outcome.id) return;
    write(this.#outcome, `${outcomeSentence(outcome)}${took(outcome) ? " Ask again to see the difference." : ""}`);
    if (!took(outcome)) return;
    recorded.truth = outcome.label;
    this.#paint();
  }

  get #ready() {
    return Boolean(this.subject?.addable);
  }

  /** What was typed or is in focus for another picture is not for this one. */
  #turnTo(subject) {
    if (subject !== this.subject) {
      this.#choice.turn();
      write(this.#outcome, "");
    }
    this.subject = subject;
  }

  #paint() {
    const { prediction, before, truth = null } = this.subject ?? {};
    this.#bars.show(prediction?.probabilities ?? {}, this.#classes.labels, before);
    this.#choice.show(this.#classes, truth, prediction?.probabilities);
    this.#enable();
  }

  #enable(ready = this.#ready) {
    const subject = this.subject;
    const next = subject && this.#teaching.next(subject.stream);
    write(this.#state, ready ? (subject.recorded ? ADDED : subject.failure?.status === 404 ? BEGIN : TRIAL) : "");
    this.#choice.disabled = !ready;
    this.#again.disabled = !ready;
    this.#add.disabled = !ready || Boolean(subject.recorded ?? subject.recording);
    this.#undo.disabled = !next;
    this.#undo.title = next ?? "Nothing to undo";
  }

  /** Adds the picture to its stream, once; null where that failed, and says so. */
  async #record() {
    const subject = this.subject;
    const say = (text) => this.subject === subject && write(this.#outcome, text);
    if (!subject.recorded) say("Adding it to the stream…");
    try {
      const adding = subject.record((image) => add(this.#api, subject.stream, image, say));
      this.#enable();
      const recorded = await adding;
      say(`Added to the stream as image ${recorded.id}.`);
      return recorded;
    } catch (problem) {
      say(`Not added. ${problem.message}`);
      return null;
    } finally {
      if (this.subject === subject) this.#paint();
    }
  }

  async #teach(label) {
    const subject = this.subject;
    const say = (text) => this.subject === subject && write(this.#outcome, text);
    const recorded = subject.recorded ?? (await this.#record());
    if (!recorded) return;
    say(`Teaching ${quoted(label)}…`);
    try {
      if (!(await this.#teaching.teach(subject.stream, recorded.id, label))) say(LATER);
    } catch (problem) {
      say(`Not sent. ${problem.message}`);
    }
  }
}

/** The answer in three parts: what leads to it, the label, how sure. */
function headline(subject) {
  if (subject === null) return [INVITE];
  if (subject.failure) return [subject.failure.status === 404 ? "Nobody can say yet: this stream has no picture." : subject.failure.message];
  const { label, probabilities, unknown } = subject.prediction;
  if (unknown) return ["It looks like none of the classes it knows. Tell it which one it is."];
  if (label === null) return ["The model knows no class yet. Tell it the first one."];
  return ["It looks like", label, `${percent(probabilities[label] ?? 0, 0)} sure`];
}
