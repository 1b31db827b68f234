/** What the model says of one picture that was given to it here, and what it is told in return. */

import { Bars } from "./bars.js";
import { Classes } from "./classes.js";
import { element, write } from "./elements.js";
import { LATER } from "./teaching.js";
import { outcomeSentence, percent, quoted, took } from "./words.js";

const INVITE = "Draw or drop a picture. The model answers by itself.";

export class Answer {
  #teaching;
  #labels = [];
  #lead = element("span", { className: "lead" });
  #word = element("strong");
  #tail = element("span", { className: "lead" });
  #barList = element("ul", { "aria-label": "Probabilities" });
  #bars = new Bars(this.#barList);
  #classes;
  #outcome = element("p", { className: "outcome", role: "status" });
  #undo = element("button", { type: "button", className: "quiet" }, "Undo");
  #again = element("button", { type: "button" }, "Ask again");
  subject = null;

  /** `says` holds the answer in words, beside the picture; `root` everything below. */
  constructor(says, root, teaching, onAgain) {
    this.#teaching = teaching;
    const choices = element("div", { className: "teach" });
    this.#classes = new Classes(choices, (label) => this.#teach(label));
    this.#undo.addEventListener("click", () => teaching.undo());
    this.#again.addEventListener("click", onAgain);
    this.#again.title = "Send the same picture once more, as a new image";
    says.append(element("p", { className: "headline", role: "status" }, this.#lead, " ", this.#word, " ", this.#tail));
    root.append(this.#barList, element("h3", {}, "What is it?"), choices, this.#outcome, element("div", { className: "row" }, this.#again, this.#undo));
    this.show(null);
  }

  offer(labels) {
    this.#labels = labels;
    this.#paint();
  }

  say(lead, word = "", tail = "") {
    write(this.#lead, lead);
    write(this.#word, word);
    write(this.#tail, tail);
    this.#word.classList.toggle("long", word.length > 4);
  }

  /** The picture was sent; the bars stay where they are until the answer is there. */
  wait(subject) {
    this.subject = subject;
    this.say("Asking…");
    write(this.#outcome, "");
    this.#enable();
  }

  show(subject) {
    this.subject = subject;
    write(this.#outcome, "");
    this.say(...headline(subject));
    this.#paint();
  }

  press(key) {
    return Boolean(this.subject?.prediction) && this.#classes.press(key);
  }

  /** The truth of the picture, whoever told it. */
  settle(outcome) {
    if (this.subject?.prediction?.id !== outcome.id) return;
    write(this.#outcome, `${outcomeSentence(outcome)}${took(outcome) ? " Ask again to see the difference." : ""}`);
    if (!took(outcome)) return;
    this.subject.prediction.truth = outcome.label;
    this.#paint();
  }

  #paint() {
    const prediction = this.subject?.prediction;
    this.#bars.show(prediction?.probabilities ?? {}, this.#labels, this.subject?.before);
    this.#classes.show(this.#labels, prediction?.truth ?? null, prediction?.probabilities);
    this.#enable();
  }

  #enable() {
    const prediction = this.subject?.prediction;
    this.#classes.disabled = !prediction;
    this.#again.disabled = !prediction;
    this.#undo.disabled = prediction?.truth == null;
  }

  async #teach(label) {
    const subject = this.subject;
    const say = (text) => this.subject === subject && write(this.#outcome, text);
    say(`Teaching ${quoted(label)}…`);
    try {
      const { stream, id } = subject.prediction;
      if (!(await this.#teaching.teach(stream, id, label))) say(LATER);
    } catch (problem) {
      say(`Not sent. ${problem.message}`);
    }
  }
}

/** The answer in three parts: what leads to it, the label, how sure. */
function headline(subject) {
  if (subject === null) return [INVITE];
  if (subject.failure) return [subject.failure];
  const { label, probabilities, unknown } = subject.prediction;
  if (unknown) return ["It looks like none of the classes it knows. Tell it which one it is."];
  if (label === null) return ["The model knows no class yet. Tell it the first one."];
  return ["It looks like", label, `${percent(probabilities[label] ?? 0, 0)} sure`];
}
