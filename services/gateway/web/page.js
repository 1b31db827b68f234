/** The page as a whole: one stream is followed, and every panel is given its part of it. */

import { Confusion } from "./panels/confusion-matrix.js";
import { Correction } from "./panels/correction-dialog.js";
import { Curve } from "./panels/accuracy-chart.js";
import { find, options, write } from "./lib/dom.js";
import { Figures } from "./panels/key-figures.js";
import { Filters } from "./panels/gallery-filters.js";
import { Gallery } from "./panels/gallery.js";
import { leaveDeleted, takeDeleted } from "./lib/storage.js";
import { Models, modelNames } from "./panels/model-table.js";
import { Notices } from "./components/notifications.js";
import { ClassOrder, NO_CLASSES } from "./lib/class-order.js";
import { paced } from "./lib/throttle.js";
import { Report } from "./panels/class-report.js";
import { listen } from "./components/keyboard-shortcuts.js";
import { Stream } from "./api/live-stream.js";
import { Teaching } from "./api/label-history.js";
import { Trial } from "./panels/try-panel.js";
import { count, percent } from "./lib/format.js";

const STATUS_MS = 200;
const CURVE_MS = 1000;
const MATRIX_MS = 2000;
const MOVED = 0.5;

export class Page {
  #stream = null;
  #status = null;
  #order = new ClassOrder();
  #classes = NO_CLASSES;
  #notices = new Notices(find("#notices"));
  #figures = new Figures(find("#figures"));
  #curve = new Curve(find("#chart"), find("#curve-kind"));
  #models = new Models(find("#models"));
  #filters = new Filters(find("#filters"));
  #report = new Report(find("#report"));
  #matrixModel = find("#confusion-model");
  #confusion = new Confusion(find("#confusion"), (cell) => this.#showCell(cell));
  #api;
  #connection;
  #teaching;
  #gallery;
  #correction;
  #trial;
  #paint = paced(() => this.#show(), STATUS_MS);
  #fetchCurve = paced(() => this.#showCurve(), CURVE_MS);
  #fetchMatrix = paced(() => this.#showMatrix(), MATRIX_MS);

  constructor(api, connection) {
    this.#api = api;
    this.#connection = connection;
    this.#teaching = new Teaching(this.#api, this.#notices);
    const parts = { tiles: find("#tiles"), note: find("#gallery-note"), empty: find("#gallery-empty") };
    this.#gallery = new Gallery(this.#api, parts, this.#filters, (one) => this.#open(one));
    this.#correction = new Correction(find("#correction"), this.#api, this.#teaching, (id, step) => this.#gallery.neighbour(id, step));
    this.#trial = new Trial(find("#try"), find("#try-kind"), this.#api, this.#teaching, this.#notices);
    this.#wire();
    const deleted = takeDeleted();
    if (deleted) this.#notices.say(`Stream ${deleted} was deleted. An image that is sent to it begins a new one.`);
  }

  /** Follows another stream from now on. */
  follow(name) {
    this.#stream?.close();
    this.#status = null;
    this.#correction.close();
    this.#classes = NO_CLASSES;
    for (const panel of [this.#figures, this.#curve, this.#models, this.#confusion, this.#report]) panel.reset();
    for (const note of ["#facts", "#models-note"]) write(find(note), "");
    this.#filters.reset();
    this.#stream = this.#listen(new Stream(this.#api, name));
    for (const panel of [this.#gallery, this.#trial]) panel.reset(name);
    this.#stream.follow();
  }

  /** How commands are typed here. */
  instruct(commands) {
    this.#filters.commands = commands;
  }

  #listen(stream) {
    stream.addEventListener("connection", (event) => this.#connect(event.detail));
    stream.addEventListener("status", (event) => this.#take(event.detail));
    stream.addEventListener("prediction", (event) => this.#gallery.add(event.detail));
    stream.addEventListener("outcome", (event) => this.#settle(event.detail));
    stream.addEventListener("applied", (event) => this.#end(event.detail));
    stream.addEventListener("fresh", () => (this.#gallery.refresh(), this.#trial.resume()));
    return stream;
  }

  #wire() {
    this.#teaching.addEventListener("history", () => [this.#correction, this.#trial].forEach((panel) => panel.remember()));
    this.#teaching.addEventListener("taught", (event) => this.#settle(event.detail));
    this.#matrixModel.addEventListener("change", () => (this.#showMatrix(), this.#show()));
    this.#correction.addEventListener("closed", (event) => {
      this.#gallery.hold("dialog", false);
      this.#gallery.focus(event.detail);
    });
    listen(find("#shortcuts"), find("#help"), {
      undo: () => this.#stream && this.#teaching.undo(this.#stream.name),
      clear: () => this.#trial.clear(),
      press: (key) => this.#trial.press(key),
    });
  }

  /** A stream that was here is gone: what is shown of it was true, and is not any more. */
  #connect(state) {
    this.#connection.show(state);
    if (state === "absent" && this.#status) this.follow(this.#stream.name);
  }

  /** Of a stream that was deleted nothing stays, neither labels to be undone nor pictures that the document keeps by address. */
  #end({ stream, do: done, status }) {
    if (done !== "stream.delete" || status !== "applied") return;
    leaveDeleted(stream);
    location.reload();
  }

  /** With fewer images it is another stream of this name, which began while nobody listened. */
  #take(status) {
    if (status.images < this.#status?.images) return this.follow(this.#stream.name);
    this.#status = status;
    this.#paint();
  }

  /** Ids are a stream's own: an outcome of the stream that was left says nothing of this one's images. */
  #settle(outcome) {
    this.#teaching.settle(outcome);
    if (outcome.stream !== this.#stream?.name) return;
    for (const panel of [this.#gallery, this.#correction, this.#trial]) panel.settle(outcome);
  }

  #open(prediction) {
    this.#gallery.hold("dialog", true);
    this.#correction.show(this.#stream.name, prediction, this.#classes);
  }

  /** The images of one cell, by the model whose matrix it is. */
  #showCell(cell) {
    const model = this.#matrixModel.value;
    this.#filters.choose({ ...cell, model: model === this.#status?.champion ? null : model });
    find("#gallery-title").scrollIntoView({ block: "start" });
  }

  #show() {
    const status = this.#status;
    if (!status) return;
    const accuracy = status.models[status.champion]?.accuracy;
    document.title = `${accuracy == null ? "" : `${percent(accuracy)} · `}${status.stream} · Prequel`;
    write(find("#facts"), `backbone ${status.backbone} · position ${status.position}`);
    this.#figures.show(status);
    this.#models.show(status);
    write(find("#models-note"), remarks(status));
    this.#classes = this.#order.take(status.stream, status.labels);
    this.#filters.offer(status.labels, modelNames(status));
    for (const panel of [this.#trial, this.#correction]) panel.offer(this.#classes);
    options(this.#matrixModel, modelNames(status).map((name) => [name, name]));
    this.#report.show(status.models[this.#matrixModel.value]?.classes ?? {});
    this.#fetchCurve();
    this.#fetchMatrix();
  }

  // Both are called with a delay: the stream may have been left meanwhile, and the next one has no status yet.

  async #showCurve() {
    if (!this.#status) return;
    const [name, models] = [this.#stream.name, modelNames(this.#status)];
    const curve = await this.#api.curve(name).catch(() => null);
    if (curve && this.#stream.name === name) this.#curve.show(curve, models);
  }

  async #showMatrix() {
    if (!this.#status) return;
    const [name, model] = [this.#stream.name, this.#matrixModel.value];
    const matrix = await this.#api.confusion(name, model).catch(() => null);
    if (matrix && this.#stream.name === name && this.#matrixModel.value === model) this.#confusion.show(matrix);
  }
}

/** What else there is to say of the champion and of the features, in sentences. */
function remarks({ unknown, feature_drift: drift }) {
  const abstained = unknown && `Abstained on ${count(unknown.abstained)} labelled images, ${count(unknown.novel)} of them of classes it could not know; right on ${percent(unknown.answered_accuracy)} of the others.`;
  const moved = drift >= MOVED && `The features have moved ${drift.toFixed(1)} standard deviations away from their long-run mean.`;
  return [abstained, moved].filter(Boolean).join(" ");
}
