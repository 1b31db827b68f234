/** Models that are tried on the past of a stream: how far each is, and how it would have done. */

import { button, element, setText } from "../lib/dom.js";
import { describeBacktest } from "../lib/changes.js";
import { formatInterval } from "../lib/evidence.js";
import { formatPercent } from "../lib/format.js";
import { delay } from "../lib/throttle.js";

/** @import { StreamChanges } from "../api/stream-changes.js" */
/** @import { Backtest, BacktestResult } from "../api/types.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** While one runs; a replay of thousands of events takes seconds. */
const POLL_MS = 1500;
/** The newest. */
const MAX_SHOWN = 5;
const COLUMNS = ["Model", "Accuracy", "95 %", "Against the champion", "Choose"];

/** Over the whole past, where those of the live stream speak of the newest labels. @type {Record<string, string>} */
const VERDICTS = { better: "better", worse: "worse", open: "not told apart", silent: "not judged" };

/** @implements {Panel} */
export class Backtests {
  #changes;
  #stream = "";
  /** The models that the stream has. @type {string[]} */
  #models = [];
  #isPolling = false;
  /** What is shown, so that a button that has the focus is not built again. */
  #shown = "";
  /** By id: a result does not change any more. @type {Map<string, BacktestResult | null | undefined>} */
  #results = new Map();
  #root;
  #title = element("h3", { hidden: true }, "Tried on the past");
  #list = element("ul", { className: "changeable" });
  #onAdd;
  #onPromote;

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {StreamChanges} parts.changes
   * @param {(model: string) => unknown} parts.onAdd
   * @param {(model: string) => unknown} parts.onPromote
   */
  constructor(root, { changes, onAdd, onPromote }) {
    this.#root = root;
    this.#changes = changes;
    this.#onAdd = onAdd;
    this.#onPromote = onPromote;
    root.append(this.#title, this.#list);
  }

  /** @param {string} stream */
  reset(stream) {
    this.#stream = stream;
    this.#models = [];
    this.#results.clear();
    this.#show([]);
    void this.#poll();
  }

  /** @param {Snapshot} snapshot */
  update({ models }) {
    if (models.join("\n") === this.#models.join("\n")) return;
    this.#models = models;
    this.#shown = "";
    void this.#poll();
  }

  /**
   * @param {string} specs separated by commas
   */
  async start(specs) {
    if (await this.#changes.startBacktest(this.#stream, specs)) await this.#poll();
  }

  /** Until all have ended, one after the other; an old gateway has none. */
  async #poll() {
    if (this.#isPolling) return;
    this.#isPolling = true;
    try {
      while (await this.#refresh()) await delay(POLL_MS);
    } finally {
      this.#isPolling = false;
    }
  }

  /** Whether one waits or runs. The stream may be another one when the answer comes. */
  async #refresh() {
    const stream = this.#stream;
    const all = stream ? await this.#changes.backtests(stream).catch(() => []) : [];
    if (stream !== this.#stream) return true;
    const shown = all.slice(0, MAX_SHOWN);
    for (const { id, status } of shown) {
      if (status !== "done" || this.#results.has(id)) continue;
      const result = (await this.#changes.backtest(stream, id).catch(() => null))?.result;
      if (stream === this.#stream) this.#results.set(id, result);
    }
    if (stream === this.#stream) this.#show(shown);
    return all.some(({ status }) => status === "waiting" || status === "running");
  }

  /** @param {Backtest[]} backtests */
  #show(backtests) {
    this.#title.hidden = backtests.length === 0;
    this.#root.hidden = backtests.length === 0;
    const key = JSON.stringify(backtests);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#list.replaceChildren(...backtests.map((backtest) => this.#row(backtest)));
  }

  /** @param {Backtest} backtest */
  #row(backtest) {
    const isActive = backtest.status === "waiting" || backtest.status === "running";
    const text = describeBacktest(backtest);
    const end = button(isActive ? "Cancel" : "Forget", () => this.#end(backtest.id), "quiet");
    end.setAttribute("aria-label", `${isActive ? "Cancel" : "Forget"} ${text}`);
    const what = element("div", { className: "what" }, element("span", {}, text));
    if (isActive) what.append(element("progress", { max: 1, value: backtest.progress, "aria-label": `How far ${text} is` }));
    const result = this.#results.get(backtest.id);
    return element("li", {}, what, end, ...(result ? [this.#table(result)] : []));
  }

  /** @param {string} id */
  async #end(id) {
    await this.#changes.endBacktest(this.#stream, id);
    await this.#refresh();
  }

  /** @param {BacktestResult} result */
  #table(result) {
    const heads = COLUMNS.map((text) => element("th", { scope: "col" }, text));
    const rows = Object.keys(result.models).map((name) => this.#modelRow(result, name));
    const head = element("thead", {}, element("tr", {}, ...heads));
    const table = element("table", { className: "models" }, head, element("tbody", {}, ...rows));
    // In the tab order, so that a table that is cut off can be scrolled with the keyboard.
    const properties = { className: "scroll", role: "region", "aria-label": "Models tried on the past", tabIndex: 0 };
    const scroll = element("div", properties, table);
    const notes = element("p", { className: "muted" });
    setText(notes, (result.notes ?? []).join(" "));
    return element("div", { className: "result" }, scroll, notes);
  }

  /**
   * @param {BacktestResult} result
   * @param {string} name
   */
  #modelRow({ champion, backbone, models, verdicts }, name) {
    const role = name === champion ? "champion" : (VERDICTS[verdicts[name]?.verdict] ?? "");
    const verdict = element("td", { title: verdicts[name]?.text ?? "" }, role);
    const numbers = [formatPercent(models[name].accuracy), formatInterval(models[name].interval) ?? ""];
    const cells = numbers.map((text) => element("td", {}, text));
    // A model on another backbone is no model of this stream before it is switched to that one.
    const action = element("td", {}, ...(name === champion || backbone ? [] : [this.#action(name)]));
    return element("tr", {}, element("th", { scope: "row" }, name), ...cells, verdict, action);
  }

  /** @param {string} name of a model that did better, or worse: which it is to be is for people to say */
  #action(name) {
    if (this.#models[0] === name) return element("span", { className: "muted" }, "answers now");
    const isThere = this.#models.includes(name);
    const created = button(isThere ? "Promote" : "Add", () => (isThere ? this.#onPromote(name) : this.#onAdd(name)), "quiet");
    created.setAttribute("aria-label", `${isThere ? "Promote" : "Add"} ${name}`);
    return created;
  }
}
