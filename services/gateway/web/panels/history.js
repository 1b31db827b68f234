/** Who changed a stream, when, and what became of it; what can be undone is undone here. */

import { button, element, setText } from "../lib/dom.js";
import { describeCommand, describeLabelCounts, describeResult } from "../lib/changes.js";
import { throttle } from "../lib/throttle.js";

/** @import { StreamChanges } from "../api/stream-changes.js" */
/** @import { HistoryEntry, StreamHistory } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** Commands are rare, and each is shown at once besides: this is for the counts of labels. */
const FETCH_INTERVAL_MS = 5000;
/** Shown until somebody wants to see all of at most a thousand. */
const FEW = 8;
const TIME = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

/** @implements {Panel} */
export class History {
  #changes;
  #stream = "";
  #position = "";
  #areAllShown = false;
  /** @type {StreamHistory} */
  #history = { commands: [], labels: { by: {}, why: {} } };
  /** What is shown, so that a button that has the focus is not built again. */
  #shown = "";
  #list = element("ol", { className: "changeable" });
  #empty = element("p", { className: "muted" }, "Nobody has changed this stream yet.");
  /** Whether the gateway has answered: before that nobody knows who has changed the stream. */
  #isKnown = false;
  #labels = element("p", { className: "muted" });
  #more = button("Show all", () => this.#showAll(), "quiet");
  #fetchLater = throttle(() => this.refresh(), FETCH_INTERVAL_MS);

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {StreamChanges} parts.changes
   */
  constructor(root, { changes }) {
    this.#changes = changes;
    changes.addEventListener("changed", () => void this.refresh());
    root.append(this.#empty, this.#list, this.#more, this.#labels);
    this.#show();
  }

  /** @param {string} stream */
  reset(stream) {
    this.#stream = stream;
    this.#position = "";
    this.#areAllShown = false;
    this.#isKnown = false;
    this.#history = { commands: [], labels: { by: {}, why: {} } };
    this.#show();
  }

  /** @param {Snapshot} snapshot */
  update({ status }) {
    if (status.position === this.#position) return;
    this.#position = status.position;
    this.#fetchLater();
  }

  applyCommand() {
    void this.refresh();
  }

  /** The stream may be another one when the answer comes; an old gateway has none. */
  async refresh() {
    const stream = this.#stream;
    const history = stream ? await this.#changes.history(stream).catch(() => null) : null;
    if (!history || stream !== this.#stream) return;
    this.#history = history;
    this.#isKnown = true;
    this.#show();
  }

  #showAll() {
    this.#areAllShown = true;
    this.#show();
  }

  #show() {
    const { commands, labels } = this.#history;
    const shown = this.#areAllShown ? commands : commands.slice(0, FEW);
    setText(this.#labels, describeLabelCounts(labels));
    this.#empty.hidden = !this.#isKnown || commands.length > 0;
    this.#more.hidden = shown.length === commands.length;
    const key = JSON.stringify(shown);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#list.replaceChildren(...shown.map((entry) => this.#row(entry)));
  }

  /** @param {HistoryEntry} entry */
  #row(entry) {
    const text = describeCommand(entry, this.#history.commands);
    const result = describeResult(entry);
    const when = element("time", { dateTime: entry.at }, TIME.format(new Date(entry.at)));
    const about = element("span", { className: "muted" }, when, result ? ` · ${result}` : "");
    const what = element("div", { className: "what" }, element("span", {}, element("strong", {}, entry.by), ` ${text}`), about);
    const row = element("li", { className: entry.status }, what);
    if (entry.undoable) row.append(this.#undoButton(entry, text));
    return row;
  }

  /**
   * @param {HistoryEntry} entry
   * @param {string} text
   */
  #undoButton({ id }, text) {
    const undo = () => this.#changes.give(this.#stream, { do: "undo", command: id }, `Taken back: ${text}.`);
    const created = button("Undo", undo, "quiet");
    created.setAttribute("aria-label", `Undo: ${text}`);
    return created;
  }
}
