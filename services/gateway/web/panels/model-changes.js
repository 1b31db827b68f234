/** The models of a stream and what can be done with them: add, promote, remove, rebuild, and how far a replay is. */

import { button, element, setText } from "../lib/dom.js";
import { describeCatchUp } from "../lib/changes.js";
import { formatInterval, verdictBadge } from "../lib/evidence.js";
import { formatPercent } from "../lib/format.js";

/** @import { StreamChanges } from "../api/stream-changes.js" */
/** @import { StreamStatus } from "../api/types.js" */
/** @import { QuestionDialog } from "../components/question-dialog.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** @type {[string, string][]} */
const BEGINNINGS = [
  ["log", "from the whole past"],
  ["now", "from now on"],
];

/** @implements {Panel} */
export class ModelChanges {
  #changes;
  #question;
  #stream = "";
  #rows = element("ul", { className: "changeable" });
  /** What is said of each model, beside its name. @type {Map<string, HTMLElement>} */
  #texts = new Map();
  #replay = element("div", { className: "replay", hidden: true });
  #replayText = element("p");
  #replayBar = element("progress", { max: 1, "aria-label": "How far the replay is" });
  #spec = element("input", { type: "text", required: true, placeholder: "ridge;width=512", autocomplete: "off" });
  #beginning = element("select", {}, ...BEGINNINGS.map(([value, text]) => element("option", { value }, text)));

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {StreamChanges} parts.changes
   * @param {QuestionDialog} parts.question
   * @param {(specs: string) => unknown} parts.onTry somebody wants to see first how models would have done
   */
  constructor(root, { changes, question, onTry }) {
    this.#changes = changes;
    this.#question = question;
    this.#replay.append(this.#replayText, this.#replayBar);
    root.append(this.#rows, this.#replay, this.#form(onTry));
  }

  /** @param {string} stream */
  reset(stream) {
    this.#stream = stream;
    this.#texts.clear();
    this.#rows.replaceChildren();
    this.#replay.hidden = true;
  }

  /** @param {Snapshot} snapshot */
  update({ status, models }) {
    if (models.join("\n") !== [...this.#texts.keys()].join("\n")) this.#rebuild(models);
    for (const [name, text] of this.#texts) setText(text, describeModel(status, name));
    const replay = status.catching_up;
    this.#replay.hidden = !replay;
    setText(this.#replayText, describeCatchUp(replay));
    this.#replayBar.value = replay?.progress ?? 0;
  }

  /**
   * Lets another model answer from now on.
   * @param {string} model
   */
  promote(model) {
    return this.#changes.give(this.#stream, { do: "models.promote", model }, `${model} answers now.`);
  }

  /**
   * @param {string} model
   * @param {string} from
   */
  async add(model, from = "log") {
    const isAdded = await this.#changes.give(this.#stream, { do: "models.add", model, from }, `${model} is added.`);
    if (isAdded) this.#spec.value = "";
  }

  /** @param {(specs: string) => unknown} onTry */
  #form(onTry) {
    const model = element("label", { className: "field tall" }, element("span", {}, "Another model"), this.#spec);
    const learns = element("label", { className: "field tall" }, element("span", {}, "It learns"), this.#beginning);
    const actions = [
      element("button", { type: "submit" }, "Add"),
      button("Try on the past", () => this.#spec.reportValidity() && onTry(this.#spec.value), "quiet"),
      button("Rebuild all", () => this.#rebuildAll(), "quiet"),
    ];
    const form = element("form", { className: "change-form" }, model, learns, element("div", { className: "row" }, ...actions));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.add(this.#spec.value, this.#beginning.value);
    });
    return form;
  }

  /** @param {string[]} names the champion first */
  #rebuild(names) {
    this.#texts = new Map(names.map((name) => [name, element("span", { className: "muted" })]));
    const rows = [...this.#texts].map(([name, text], index) => {
      const title = element("strong", {}, name);
      const description = element("div", { className: "what" }, title, text);
      return element("li", {}, description, ...(index > 0 ? [this.#actions(name)] : []));
    });
    this.#rows.replaceChildren(...rows);
  }

  /** @param {string} name of a challenger */
  #actions(name) {
    const promote = button("Promote", () => this.promote(name), "quiet");
    const remove = button("Remove", () => this.#remove(name), "quiet");
    promote.setAttribute("aria-label", `Promote ${name}`);
    remove.setAttribute("aria-label", `Remove ${name}`);
    return element("div", { className: "row" }, promote, remove);
  }

  /** @param {string} model */
  async #remove(model) {
    const text = `${model} and what was measured of it will be gone. It can be added again.`;
    const answer = await this.#question.ask({ title: "Remove the model?", text, action: "Remove" });
    if (answer !== null) await this.#changes.give(this.#stream, { do: "models.remove", model }, `${model} is removed.`);
  }

  #rebuildAll() {
    return this.#changes.give(this.#stream, { do: "models.rebuild" }, "The models learn again from the log.");
  }
}

/**
 * @param {StreamStatus} status
 * @param {string} name
 */
function describeModel({ champion, models, verdicts }, name) {
  const interval = formatInterval(models[name]?.interval);
  const role = name === champion ? "champion" : verdictBadge(verdicts?.[name])?.text;
  const accuracy = models[name]?.accuracy == null ? "not scored yet" : formatPercent(models[name].accuracy);
  return [role, interval === null ? accuracy : `${accuracy} (${interval})`].filter(Boolean).join(" · ");
}
