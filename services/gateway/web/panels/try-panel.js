/** The panel to try the model: draw or upload, see its prediction, add the picture to the stream, label it, ask again. */

import { DrawingCanvas } from "../components/drawing-canvas.js";
import { FileUpload } from "../components/file-upload.js";
import { TrialAnswer } from "../components/trial-answer.js";
import { UploadList } from "../components/upload-list.js";
import { buildSegments, button, checkSegment, element } from "../lib/dom.js";
import { Trial } from "../lib/trial.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { LabelHistory } from "../api/label-history.js" */
/** @import { Outcome } from "../api/types.js" */
/** @import { Notifications } from "../components/notifications.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** @typedef {"draw" | "upload"} Mode */

/** @type {[Mode, string][]} */
const MODES = [
  ["draw", "Draw"],
  ["upload", "Upload"],
];

/** After the pen is lifted: shorter, and a digit of two strokes is asked about after the first. */
const STROKE_PAUSE_MS = 900;
/** Of many files, so many are asked about at once: one is extracted while another one travels. */
const PARALLEL_REQUESTS = 2;
/** Pixels of a side: up to here pictures are scans of digits and the like, and a drawing has to be as coarse. */
const SMALL_PICTURE = 32;

const NO_STREAM = "Not asked: there is no stream yet. Name one first, then give it your pictures.";

/** @implements {Panel} */
export class TryPanel {
  #client;
  #notifications;
  #modes;
  #answer;
  /**
   * The stay with one stream: work that began in an earlier one belongs to that, also when people return to it.
   * @type {{stream: string | null}}
   */
  #visit = { stream: null };
  /** Counts the questions: only the newest one's answer is shown. */
  #questionCount = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #strokeTimer;
  #drawing = new DrawingCanvas();
  #upload = new FileUpload();
  #uploads = new UploadList();
  #drawingButtons = element(
    "div",
    { className: "row" },
    button("Ask now", () => this.#askAboutDrawing()),
    button("Clear", () => this.clear(), "quiet"),
  );

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {HTMLElement} parts.modes
   * @param {GatewayClient} parts.client
   * @param {LabelHistory} parts.history
   * @param {Notifications} parts.notifications
   */
  constructor(root, { modes, client, history, notifications }) {
    this.#client = client;
    this.#notifications = notifications;
    this.#modes = modes;
    this.#answer = new TrialAnswer({ client, history, onAskAgain: () => this.#askAgain() });
    const summary = element("div", { className: "summary" }, this.#answer.headline, this.#drawingButtons);
    root.append(
      element("div", { className: "stage" }, this.#drawing.canvas, this.#upload.root, summary, this.#uploads.root),
      this.#answer.root,
    );
    buildSegments(modes, MODES, "draw", (mode) => this.#setMode(mode));
    this.#drawing.addEventListener("strokestart", () => clearTimeout(this.#strokeTimer));
    this.#drawing.addEventListener("strokeend", () => {
      this.#strokeTimer = setTimeout(() => this.#askAboutDrawing(), STROKE_PAUSE_MS);
    });
    this.#upload.addEventListener("files", (event) => this.#askAboutFiles(/** @type {CustomEvent} */ (event).detail));
    this.#uploads.addEventListener("choose", (event) => this.#show(/** @type {CustomEvent} */ (event).detail));
    this.#setMode("draw");
  }

  /** @param {string} stream */
  reset(stream) {
    this.#visit = { stream };
    this.#uploads.clear();
    this.#upload.showPreview(null);
    this.#answer.setClasses(null);
    this.clear();
  }

  /** @param {Snapshot} snapshot */
  update({ classes }) {
    this.#answer.setClasses(classes);
  }

  /** @param {Outcome} outcome */
  applyOutcome(outcome) {
    this.#answer.applyOutcome(outcome);
  }

  /** Takes blank paper, and forgets the answer. */
  clear() {
    this.#questionCount++;
    clearTimeout(this.#strokeTimer);
    this.#drawing.clear();
    this.#answer.show(null);
  }

  /**
   * Takes a number key, where there is something to label.
   * @param {string} key
   */
  press(key) {
    return this.#answer.press(key);
  }

  /** The gateway is back: what it could not be asked meanwhile it is asked now, for that records nothing. */
  async retryUnanswered() {
    const [visit, shown] = [this.#visit, this.#answer.trial];
    const trials = new Set(shown ? [shown, ...this.#uploads.trials] : this.#uploads.trials);
    for (const trial of trials) {
      if (!trial.isUnanswered || visit !== this.#visit) continue;
      if (trial === this.#answer.trial && !this.#answer.isInUse) await this.#ask(trial);
      else await trial.predict(this.#client);
      this.#uploads.update(trial);
    }
  }

  /** @param {Mode} mode */
  #setMode(mode) {
    for (const part of [this.#drawing.canvas, this.#drawingButtons]) part.hidden = mode !== "draw";
    for (const part of [this.#upload.root, this.#uploads.root]) part.hidden = mode !== "upload";
    checkSegment(this.#modes, mode);
  }

  async #askAboutDrawing() {
    clearTimeout(this.#strokeTimer);
    if (this.#drawing.isEmpty) return this.#answer.setHeadline("Draw something first.");
    const visit = this.#visit;
    if (visit.stream === null) return this.#notifications.show(NO_STREAM);
    const isCoarse = await this.#hasSmallPictures(visit.stream);
    const picture = await this.#drawing.toPicture(isCoarse);
    if (visit === this.#visit) await this.#ask(new Trial(visit.stream, picture, null));
  }

  /**
   * Whether the stream's newest picture is small: a drawing has to look like its pictures. Of a stream without one, or
   * where retention has taken it, nobody can tell: then the drawing stays sharp.
   * @param {string} stream
   */
  async #hasSmallPictures(stream) {
    try {
      const [newest] = await this.#client.predictions(stream, { limit: 1 });
      if (newest.image === null) return false;
      const image = element("img", { src: this.#client.imageUrl(stream, newest.id) });
      await image.decode();
      return image.naturalWidth <= SMALL_PICTURE;
    } catch {
      return false;
    }
  }

  /** @returns {void} */
  #askAgain() {
    if (this.#answer.trial) void this.#ask(this.#answer.trial);
  }

  /**
   * Whatever is asked later wins the panel.
   * @param {Trial} trial
   */
  async #ask(trial) {
    const question = ++this.#questionCount;
    this.#answer.showWaiting(trial);
    await trial.predict(this.#client);
    if (question === this.#questionCount) this.#answer.show(trial);
  }

  /** @param {Trial} trial */
  #show(trial) {
    this.#upload.showPreview(trial.url);
    this.#answer.show(trial);
  }

  /** @param {File[]} files */
  async #askAboutFiles(files) {
    const { stream } = this.#visit;
    if (stream === null) return this.#notifications.show(NO_STREAM);
    this.#setMode("upload");
    const question = ++this.#questionCount;
    const trials = files.map((image) => new Trial(stream, image, URL.createObjectURL(image)));
    this.#uploads.add(trials);
    this.#upload.showPreview(trials[0].url);
    this.#answer.showWaiting(trials[0]);
    await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, () => this.#work(trials, question)));
  }

  /**
   * Asks about one picture after the other, together with other workers on the same list. Once the stream is left, those
   * that wait are not asked about: the files of one stream never go to another. Each answer is shown as it comes, until
   * somebody is about to say what the picture before their eyes is.
   * @param {Trial[]} waiting
   * @param {number} question
   */
  async #work(waiting, question) {
    const visit = this.#visit;
    while (visit === this.#visit) {
      const trial = waiting.shift();
      if (!trial) return;
      await trial.predict(this.#client);
      this.#uploads.update(trial);
      // The one that the panel waits for is shown in any case: before its answer, there was nothing to say of it.
      const isAwaited = trial === this.#answer.trial;
      if (question === this.#questionCount && (isAwaited || !this.#answer.isInUse)) this.#show(trial);
    }
  }
}
