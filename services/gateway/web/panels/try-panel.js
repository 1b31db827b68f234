/** The panel to try the model: draw or upload, see what it says, add it to the stream, teach it, ask again. */

import { Answer } from "./trial-answer.js";
import { Drawing } from "../components/drawing-canvas.js";
import { element, segments } from "../lib/dom.js";
import { NO_CLASSES } from "../lib/class-order.js";
import { Queue } from "../components/upload-list.js";
import { Subject } from "../lib/trial.js";
import { Upload } from "../components/file-upload.js";

const LIFTED_MS = 900;
const AT_ONCE = 2;
const SMALL = 32;
const STREAMLESS = "Not asked: there is no stream yet. Name one first, then give it your pictures.";

export class Trial {
  #api;
  #answer;
  #kinds;
  #notices;
  /** The stay with one stream: whatever was begun in an earlier one belongs to that. */
  #visit = { stream: null };
  #turn = 0;
  #timer = null;
  #drawing = new Drawing();
  #upload = new Upload();
  #queue = new Queue();
  #panes = {};

  constructor(root, kinds, api, teaching, notices) {
    this.#api = api;
    this.#notices = notices;
    this.#kinds = kinds;
    this.#build(root, teaching);
    segments(kinds, [["draw", "Draw"], ["upload", "Upload"]], "draw", (kind) => this.#turnTo(kind));
    this.#drawing.addEventListener("begun", () => clearTimeout(this.#timer));
    this.#drawing.addEventListener("lifted", () => (this.#timer = setTimeout(() => this.#askDrawing(), LIFTED_MS)));
    this.#upload.addEventListener("files", (event) => this.#askFiles(event.detail));
    this.#queue.addEventListener("choose", (event) => this.#look(event.detail));
    this.#turnTo("draw");
  }

  reset(stream) {
    this.#visit = { stream };
    this.#queue.clear();
    this.#upload.show(null);
    this.#answer.offer(NO_CLASSES);
    this.clear();
  }

  offer(classes) {
    this.#answer.offer(classes);
  }

  /** What Undo would do now has changed. */
  remember() {
    this.#answer.remember();
  }

  clear() {
    this.#turn++;
    clearTimeout(this.#timer);
    this.#drawing.clear();
    this.#answer.show(null);
  }

  /** Takes a number key, where there is something to name. */
  press(key) {
    return this.#answer.press(key);
  }

  /** The gateway is back: of what it could not be asked meanwhile it is asked now, for nothing is recorded by that. */
  async resume() {
    const [visit, shown] = [this.#visit, this.#answer.subject];
    for (const subject of new Set([shown, ...this.#queue.subjects])) {
      if (!subject?.unasked || visit !== this.#visit) continue;
      await (subject === this.#answer.subject && !this.#answer.busy ? this.#ask(subject) : subject.ask(this.#api));
      this.#queue.settle(subject);
    }
  }

  settle(outcome) {
    this.#answer.settle(outcome);
  }

  #build(root, teaching) {
    const buttons = element("div", { className: "row" }, this.#button("Ask now", () => this.#askDrawing(), ""), this.#button("Clear", () => this.clear(), "quiet"));
    this.#panes = { draw: [this.#drawing.canvas, buttons], upload: [this.#upload.root, this.#queue.root] };
    const says = element("div", { className: "says" });
    const answer = element("div", { className: "answer" });
    this.#answer = new Answer(says, answer, this.#api, teaching, () => this.#ask(this.#answer.subject));
    says.append(buttons);
    const stage = element("div", { className: "stage" }, this.#drawing.canvas, this.#upload.root, says, this.#queue.root);
    root.append(stage, answer);
  }

  #button(text, act, className) {
    const button = element("button", { type: "button", className }, text);
    button.addEventListener("click", act);
    return button;
  }

  #turnTo(kind) {
    for (const [name, parts] of Object.entries(this.#panes)) for (const part of parts) part.hidden = name !== kind;
    this.#kinds.querySelector(`input[value=${kind}]`).checked = true;
  }

  async #askDrawing() {
    clearTimeout(this.#timer);
    if (this.#drawing.empty) return this.#answer.say("Draw something first.");
    const visit = this.#visit;
    const coarse = await this.#small();
    const picture = await this.#drawing.picture(coarse);
    if (visit === this.#visit) await this.#ask(new Subject(visit.stream, picture, null));
  }

  /** Whether the stream's newest picture is small: a drawing has to look like its pictures. */
  async #small() {
    const { stream } = this.#visit;
    try {
      const [newest] = await this.#api.predictions(stream, { limit: 1 });
      const image = element("img", { src: this.#api.imageUrl(stream, newest.id) });
      await image.decode();
      return image.naturalWidth <= SMALL;
    } catch {
      return false; // The stream's first picture, or one that retention took.
    }
  }

  #look(subject) {
    this.#upload.show(subject.url);
    this.#answer.show(subject);
  }

  /** Whatever is asked later wins the panel. */
  async #ask(subject) {
    const turn = ++this.#turn;
    this.#answer.wait(subject);
    await subject.ask(this.#api);
    if (turn === this.#turn) this.#answer.show(subject);
  }

  /**
   * The files of one stream never go to another: those that wait when it is left are not asked about. Each answer is shown as it
   * comes, until somebody is about to say what the picture before their eyes is.
   */
  async #askFiles(files) {
    const visit = this.#visit;
    if (visit.stream === null) return this.#notices.say(STREAMLESS);
    this.#turnTo("upload");
    const turn = ++this.#turn;
    const left = files.map((image) => new Subject(visit.stream, image, URL.createObjectURL(image)));
    this.#queue.add(left);
    this.#upload.show(left[0].url);
    this.#answer.wait(left[0]);
    const work = async () => {
      for (let subject = left.shift(); subject && visit === this.#visit; subject = left.shift()) {
        await subject.ask(this.#api);
        this.#queue.settle(subject);
        // The one that the panel is waiting for is shown in any case: there is nothing to say of it before.
        const awaited = subject === this.#answer.subject;
        if (turn === this.#turn && (awaited || !this.#answer.busy)) this.#look(subject);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}
