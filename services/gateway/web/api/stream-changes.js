/** The calls that change a stream, or try models on its past; what became of each is told. */

import { messageOf } from "./errors.js";
import { streamPath } from "./client.js";

/** @import { GatewayClient } from "./client.js" */
/** @import { Backtest, CommandOutcome, StreamCommand, StreamHistory } from "./types.js" */
/** @import { Notifications } from "../components/notifications.js" */

/** Seconds that a command may take: a learner needs milliseconds, unless it is busy with a large batch. */
const WAIT = 10;
const JSON_HEADERS = { "Content-Type": "application/json" };

/** Events: `changed` after each command that was given. */
export class StreamChanges extends EventTarget {
  #client;
  #notifications;

  /**
   * @param {GatewayClient} client
   * @param {Notifications} notifications
   */
  constructor(client, notifications) {
    super();
    this.#client = client;
    this.#notifications = notifications;
  }

  /**
   * Gives a command, and tells `done` once it is, or why it is not; resolves to whether it is, or will be.
   * @param {string} stream
   * @param {StreamCommand} command
   * @param {string} done
   * @returns {Promise<boolean>}
   */
  async give(stream, command, done) {
    try {
      const outcome = await this.#send(stream, command);
      this.#tell(outcome, done);
      return outcome.status !== "refused";
    } catch (error) {
      this.#notifications.show(messageOf(error), { kind: "bad" });
      return false;
    } finally {
      this.dispatchEvent(new Event("changed"));
    }
  }

  /**
   * @param {string} stream
   * @returns {Promise<StreamHistory>}
   */
  history(stream) {
    return this.#client.json(`${streamPath(stream)}/history`);
  }

  /**
   * Those of a stream, the newest first, without their results.
   * @param {string} stream
   * @returns {Promise<Backtest[]>}
   */
  async backtests(stream) {
    return (await this.#client.json(`${streamPath(stream)}/backtests`)).backtests;
  }

  /**
   * @param {string} stream
   * @param {string} id
   * @returns {Promise<Backtest>}
   */
  backtest(stream, id) {
    return this.#client.json(backtestPath(stream, id));
  }

  /**
   * Resolves to whether it waits to run.
   * @param {string} stream
   * @param {string} models specs, separated by commas
   * @returns {Promise<boolean>}
   */
  async startBacktest(stream, models) {
    try {
      const request = { method: "POST", headers: JSON_HEADERS, body: JSON.stringify({ models }) };
      await this.#client.json(`${streamPath(stream)}/backtests`, request);
      return true;
    } catch (error) {
      this.#notifications.show(messageOf(error), { kind: "bad" });
      return false;
    }
  }

  /**
   * Ends one that waits or runs, forgets one that has ended.
   * @param {string} stream
   * @param {string} id
   */
  async endBacktest(stream, id) {
    try {
      await this.#client.json(backtestPath(stream, id), { method: "DELETE" });
    } catch (error) {
      this.#notifications.show(messageOf(error), { kind: "bad" });
    }
  }

  /**
   * @param {string} stream
   * @param {StreamCommand} command
   * @returns {Promise<CommandOutcome>}
   */
  #send(stream, command) {
    const request = { method: "POST", headers: JSON_HEADERS, body: JSON.stringify({ ...command, by: "page" }) };
    return this.#client.json(`${streamPath(stream)}/commands?wait=${WAIT}`, request, WAIT);
  }

  /**
   * @param {CommandOutcome} outcome
   * @param {string} done
   */
  #tell({ status, why, catching_up: isCatchingUp }, done) {
    if (status === "refused") return this.#notifications.show(`Nothing was changed: ${why}`, { kind: "bad" });
    if (!status) return this.#notifications.show("The command is in the log; the learner has not processed it yet.");
    const later = isCatchingUp ? " The models are catching up with it." : "";
    this.#notifications.show(`${done}${later}`, { kind: "good" });
  }
}

/**
 * @param {string} stream
 * @param {string} id
 */
function backtestPath(stream, id) {
  return `${streamPath(stream)}/backtests/${encodeURIComponent(id)}`;
}
