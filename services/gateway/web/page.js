/** The page as a whole: one stream is followed, and every panel gets what is known of it. */

import { LabelHistory } from "./api/label-history.js";
import { LiveStream } from "./api/live-stream.js";
import { StreamChanges } from "./api/stream-changes.js";
import { installShortcuts } from "./components/keyboard-shortcuts.js";
import { Notifications } from "./components/notifications.js";
import { QuestionDialog } from "./components/question-dialog.js";
import { ClassOrder } from "./lib/class-order.js";
import { find, setOptions, setText } from "./lib/dom.js";
import { formatPercent } from "./lib/format.js";
import { storeDeletedStream, takeDeletedStream } from "./lib/storage.js";
import { throttle } from "./lib/throttle.js";
import { Alerts } from "./panels/alerts.js";
import { AccuracyChart } from "./panels/accuracy-chart.js";
import { Backtests } from "./panels/backtests.js";
import { ClassChanges } from "./panels/class-changes.js";
import { ClassReport } from "./panels/class-report.js";
import { ConfusionMatrix } from "./panels/confusion-matrix.js";
import { CorrectionDialog } from "./panels/correction-dialog.js";
import { Gallery } from "./panels/gallery.js";
import { History } from "./panels/history.js";
import { KeyFigures } from "./panels/key-figures.js";
import { ModelChanges } from "./panels/model-changes.js";
import { ModelTable } from "./panels/model-table.js";
import { modelNames } from "./panels/panel.js";
import { TrustReport } from "./panels/trust-report.js";
import { TryPanel } from "./panels/try-panel.js";

/** @import { GatewayClient } from "./api/client.js" */
/** @import { AppliedCommand, ConnectionState, Outcome, Prediction, StreamStatus } from "./api/types.js" */
/** @import { ConnectionStatus } from "./components/connection-status.js" */
/** @import { TerminalCommands } from "./lib/terminal-commands.js" */
/** @import { Panel, Snapshot } from "./panels/panel.js" */

/** Figures that change more often than this cannot be read. */
const UPDATE_INTERVAL_MS = 200;

/**
 * The panels through which a stream is changed.
 * @param {GatewayClient} client
 * @param {Notifications} notifications
 * @returns {Panel[]}
 */
function changePanels(client, notifications) {
  const changes = new StreamChanges(client, notifications);
  const question = new QuestionDialog(find("#question", HTMLDialogElement));
  /** @type {Backtests} */
  const backtests = new Backtests(find("#backtests"), {
    changes,
    onAdd: (model) => models.add(model),
    onPromote: (model) => models.promote(model),
  });
  /** @type {ModelChanges} */
  const models = new ModelChanges(find("#model-changes"), {
    changes,
    question,
    onTry: (specs) => backtests.start(specs),
  });
  return [
    models,
    backtests,
    new ClassChanges(find("#class-changes"), { changes, question }),
    new History(find("#history"), { changes }),
  ];
}

/** Follows one stream at a time. */
export class Page {
  /** @type {LiveStream | null} */
  #stream = null;
  /** Null until the stream has told it. @type {StreamStatus | null} */
  #status = null;
  #classOrder = new ClassOrder();
  #client;
  #connection;
  #history;
  #modelSelect = find("#confusion-model", HTMLSelectElement);
  #gallery;
  #dialog;
  #tryPanel;
  /** @type {Panel[]} */
  #panels;
  #updateLater = throttle(() => this.#update(), UPDATE_INTERVAL_MS);

  /**
   * @param {GatewayClient} client
   * @param {ConnectionStatus} connection
   */
  constructor(client, connection) {
    this.#client = client;
    this.#connection = connection;
    const notifications = new Notifications(find("#notices"));
    const history = new LabelHistory(client, notifications);
    this.#history = history;
    this.#gallery = new Gallery(find("#tiles"), {
      note: find("#gallery-note"),
      empty: find("#gallery-empty"),
      filters: find("#filters"),
      client,
      onOpen: (prediction) => this.#openDialog(prediction),
    });
    this.#dialog = new CorrectionDialog(find("#correction", HTMLDialogElement), {
      client,
      history,
      neighbour: (id, offset) => this.#gallery.neighbour(id, offset),
      reasonOf: (id) => this.#gallery.reasonOf(id),
    });
    this.#tryPanel = new TryPanel(find("#try"), { modes: find("#try-kind"), client, history, notifications });
    this.#panels = [
      new KeyFigures(find("#figures")),
      new Alerts(find("#alerts")),
      new AccuracyChart(find("#chart"), { choices: find("#curve-kind"), client }),
      new ModelTable(find("#models", HTMLTableElement), { remarks: find("#models-note") }),
      new TrustReport(find("#trust"), { client }),
      new ConfusionMatrix(find("#confusion"), { client, onChoose: (cell) => this.#showCell(cell) }),
      new ClassReport(find("#report")),
      this.#gallery,
      this.#dialog,
      this.#tryPanel,
      ...changePanels(client, notifications),
    ];
    this.#connectParts();
    const deleted = takeDeletedStream();
    if (deleted) notifications.show(`Stream ${deleted} was deleted. An image that is sent to it begins a new one.`);
  }

  /**
   * Follows another stream from now on.
   * @param {string} name
   */
  follow(name) {
    this.#stream?.close();
    this.#stream = this.#listen(new LiveStream(this.#client, name));
    this.#status = null;
    setText(find("#facts"), "");
    for (const panel of this.#panels) panel.reset(name);
    void this.#stream.follow();
  }

  /** @param {TerminalCommands} commands how to add one's own pictures in a terminal */
  set commands(commands) {
    this.#gallery.commands = commands;
  }

  /**
   * What a stream tells, each kind of event to those it concerns.
   * @param {LiveStream} stream
   */
  #listen(stream) {
    /**
     * @param {string} type
     * @param {(detail: any) => void} handle
     */
    const on = (type, handle) => {
      stream.addEventListener(type, (event) => handle(/** @type {CustomEvent} */ (event).detail));
    };
    on("connection", (state) => this.#onConnection(state));
    on("status", (status) => this.#onStatus(status));
    on("prediction", (prediction) => this.#gallery.addPrediction(prediction));
    on("outcome", (outcome) => this.#onOutcome(outcome));
    on("applied", (command) => this.#onApplied(command));
    on("connected", () => {
      void this.#gallery.refresh();
      void this.#tryPanel.retryUnanswered();
    });
    return stream;
  }

  #connectParts() {
    this.#history.addEventListener("outcome", (event) => this.#onOutcome(/** @type {CustomEvent} */ (event).detail));
    this.#modelSelect.addEventListener("change", () => this.#update());
    this.#dialog.addEventListener("closed", (event) => {
      this.#gallery.setDialogOpen(false);
      this.#gallery.focus(/** @type {CustomEvent} */ (event).detail);
    });
    installShortcuts(find("#shortcuts", HTMLDialogElement), find("#help"), {
      undo: () => void (this.#stream && this.#history.undo(this.#stream.name)),
      clear: () => this.#tryPanel.clear(),
      press: (key) => this.#tryPanel.press(key),
    });
  }

  /**
   * A stream that was here and is gone: what is shown of it is not true any more.
   * @param {ConnectionState} state
   */
  #onConnection(state) {
    this.#connection.update(state);
    if (state === "absent" && this.#status) this.follow(this.#status.stream);
  }

  /**
   * With fewer images it is another stream of this name, which began while the page was not connected.
   * @param {StreamStatus} status
   */
  #onStatus(status) {
    if (this.#status && status.images < this.#status.images) return this.follow(status.stream);
    this.#status = status;
    this.#updateLater();
  }

  /**
   * Ids are unique only within a stream: an outcome of the stream that was left says nothing of this one's images.
   * @param {Outcome} outcome
   */
  #onOutcome(outcome) {
    this.#history.applyOutcome(outcome);
    if (outcome.stream !== this.#stream?.name) return;
    for (const panel of this.#panels) panel.applyOutcome?.(outcome);
  }

  /**
   * Of a stream that was deleted nothing may stay: neither labels to undo, nor pictures, which a document keeps in memory
   * by their address. Only a new document has none of them.
   * @param {AppliedCommand} command
   */
  #onApplied(command) {
    for (const panel of this.#panels) panel.applyCommand?.();
    if (command.do !== "stream.delete" || command.status !== "applied") return;
    storeDeletedStream(command.stream);
    location.reload();
  }

  /** @param {Prediction} prediction */
  #openDialog(prediction) {
    this.#gallery.setDialogOpen(true);
    this.#dialog.open(prediction);
  }

  /**
   * The images of one cell, by the model whose matrix it is.
   * @param {{truth: string, predicted: string}} cell
   */
  #showCell(cell) {
    const model = this.#modelSelect.value;
    this.#gallery.showCell({ ...cell, model: model === this.#status?.champion ? null : model });
    find("#gallery-title").scrollIntoView({ block: "start" });
  }

  /** Called with a delay: the stream may have been left meanwhile, and the next one has no status yet. */
  #update() {
    if (this.#status === null) return;
    this.#showTitle(this.#status);
    const snapshot = this.#snapshot(this.#status);
    for (const panel of this.#panels) panel.update(snapshot);
  }

  /**
   * @param {StreamStatus} status
   * @returns {Snapshot}
   */
  #snapshot(status) {
    const models = modelNames(status);
    setOptions(this.#modelSelect, models.map((name) => [name, name]));
    const classes = this.#classOrder.update(status.stream, status.labels);
    return { status, models, shownModel: this.#modelSelect.value, classes };
  }

  /** @param {StreamStatus} status */
  #showTitle({ stream, backbone, position, champion, models }) {
    const accuracy = models[champion]?.accuracy;
    document.title = `${accuracy == null ? "" : `${formatPercent(accuracy)} · `}${stream} · Prequel`;
    setText(find("#facts"), `backbone ${backbone} · position ${position}`);
  }
}
