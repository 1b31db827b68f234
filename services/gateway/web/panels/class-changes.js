/** The classes of a stream and what can be done with them: rename, merge, delete. */

import { button, element, setOptions } from "../lib/dom.js";
import { formatCount, quote } from "../lib/format.js";
import { sortNaturally } from "../lib/labels.js";

/** @import { StreamChanges } from "../api/stream-changes.js" */
/** @import { StreamStatus } from "../api/types.js" */
/** @import { QuestionDialog } from "../components/question-dialog.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** @implements {Panel} */
export class ClassChanges {
  #changes;
  #question;
  /** @type {StreamStatus | null} */
  #status = null;
  #empty = element("p", { className: "empty" }, "Classes can be changed once there are some.");
  #form;
  #select = element("select");

  /**
   * @param {HTMLElement} root
   * @param {object} parts
   * @param {StreamChanges} parts.changes
   * @param {QuestionDialog} parts.question
   */
  constructor(root, { changes, question }) {
    this.#changes = changes;
    this.#question = question;
    const field = element("label", { className: "field tall" }, element("span", {}, "Class"), this.#select);
    const actions = [
      button("Rename", () => this.#rename(), "quiet"),
      button("Merge", () => this.#merge(), "quiet"),
      button("Delete", () => this.#delete(), "quiet"),
    ];
    const row = element("div", { className: "row" }, ...actions);
    this.#form = element("div", { className: "change-form", hidden: true }, field, row);
    root.append(this.#empty, this.#form);
  }

  reset() {
    this.#status = null;
    this.#show([]);
  }

  /** @param {Snapshot} snapshot */
  update({ status }) {
    this.#status = status;
    this.#show(sortNaturally(status.labels));
  }

  /** @param {string[]} labels */
  #show(labels) {
    setOptions(this.#select, labels.map((label) => [label, label]));
    this.#empty.hidden = labels.length > 0;
    this.#form.hidden = labels.length === 0;
  }

  async #rename() {
    const from = this.#select.value;
    const to = await this.#question.ask({
      title: `Rename ${quote(from)}`,
      text: "Models and metrics keep all they know of it. If there is a class of the new name, the two become one.",
      label: "New name",
      action: "Rename",
    });
    if (to === null || to === from) return;
    if (this.#status?.labels.includes(to)) return this.#mergeInto(from, to);
    await this.#give({ do: "class.rename", from, to }, `${quote(from)} is called ${quote(to)} now.`);
  }

  async #merge() {
    const from = this.#select.value;
    const others = sortNaturally(this.#status?.labels ?? []).filter((label) => label !== from);
    const to = await this.#question.ask({
      title: `Merge ${quote(from)}`,
      text: `All ${this.#examples(from)} will be of the other class, as if it had been so from the beginning.`,
      label: "Into",
      choices: others,
      action: "Merge",
    });
    if (to) await this.#give({ do: "class.merge", from, to }, `${quote(from)} is part of ${quote(to)} now.`);
  }

  /**
   * @param {string} from
   * @param {string} to
   */
  async #mergeInto(from, to) {
    const answer = await this.#question.ask({
      title: `Merge ${quote(from)} into ${quote(to)}?`,
      text: `There is a class ${quote(to)}: ${this.#examples(from)} of ${quote(from)} will be of it.`,
      action: "Merge",
    });
    if (answer !== null) await this.#give({ do: "class.merge", from, to }, `${quote(from)} is part of ${quote(to)} now.`);
  }

  async #delete() {
    const label = this.#select.value;
    const answer = await this.#question.ask({
      title: `Delete ${quote(label)}?`,
      text: `The labels of ${this.#examples(label)} will be taken back. The images stay, and it can be undone.`,
      action: "Delete",
    });
    if (answer !== null) await this.#give({ do: "class.delete", label }, `The class ${quote(label)} is deleted.`);
  }

  /**
   * As many as the model that knows most has scored: a champion that was added later knows only what came since.
   * @param {string} label
   */
  #examples(label) {
    const counts = Object.values(this.#status?.models ?? {}).map(({ classes }) => classes[label]?.support ?? 0);
    return `${formatCount(Math.max(0, ...counts))} scored images`;
  }

  /**
   * @param {import("../api/types.js").StreamCommand} command
   * @param {string} done
   */
  async #give(command, done) {
    if (this.#status) await this.#changes.give(this.#status.stream, command, done);
  }
}
