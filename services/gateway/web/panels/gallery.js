/** The gallery of predictions: live or filtered, and paused while somebody looks closely. */

import { ApiError } from "../api/errors.js";
import { GalleryFilters } from "../components/gallery-filters.js";
import { InteractionPause } from "../components/interaction-pause.js";
import { MAX_TILES, TileGrid } from "../components/tile-grid.js";
import { Tile } from "../components/tile.js";
import { setText } from "../lib/dom.js";
import { formatCount } from "../lib/format.js";
import { mixInRandom } from "../lib/labelling-mix.js";
import { isApplied } from "../lib/outcome.js";
import { delay, throttle } from "../lib/throttle.js";

/** @import { GatewayClient } from "../api/client.js" */
/** @import { LabelReason, Outcome, Prediction } from "../api/types.js" */
/** @import { TerminalCommands } from "../lib/terminal-commands.js" */
/** @import { Panel, Snapshot } from "./panel.js" */

/** New tiles come in together: one by one, a fast stream would never stand still. */
const FLUSH_INTERVAL_MS = 600;
/** How often a filtered list, which has to be fetched, follows the stream. */
const REFETCH_INTERVAL_MS = 2500;
/** An image that takes longer comes in as its tile is shown. */
const MAX_IMAGE_WAIT_MS = 1500;

/** @implements {Panel} */
export class Gallery {
  #client;
  #note;
  #empty;
  #filters;
  #pause;
  #grid;
  /** @type {string | null} */
  #stream = null;
  /** Counts the fetches: the answer to an older one is out of date. */
  #fetchCount = 0;
  /**
   * While a fetch is under way, the labels that have come since it began: its answer may be older.
   * @type {Map<string, string | null> | null}
   */
  #truthsSince = null;
  /** Whether the tiles pass the filter that is chosen now. */
  #isCurrent = false;
  /** Whether a fetch has to follow as soon as nothing pauses the gallery. */
  #isFetchDue = false;
  /** The ids of those that are shown because they were drawn at random. @type {Set<string>} */
  #random = new Set();
  /** What comes in as soon as its images are loaded. @type {Tile[]} */
  #loading = [];
  /** What has come since, the newest first. @type {Prediction[]} */
  #arrived = [];
  /** How to add one's own pictures in a terminal. @type {TerminalCommands | null} */
  commands = null;
  #flushLater = throttle(() => this.#flush(), FLUSH_INTERVAL_MS);
  #refetchLater = throttle(() => this.refresh(), REFETCH_INTERVAL_MS);

  /**
   * @param {HTMLElement} list
   * @param {object} parts
   * @param {HTMLElement} parts.note what the list shows
   * @param {HTMLElement} parts.empty what is said in place of an empty list
   * @param {HTMLElement} parts.filters
   * @param {GatewayClient} parts.client
   * @param {(prediction: Prediction) => void} parts.onOpen called for a click or Enter
   */
  constructor(list, { note, empty, filters, client, onOpen }) {
    this.#note = note;
    this.#empty = empty;
    this.#client = client;
    this.#grid = new TileGrid(list);
    this.#grid.addEventListener("open", (event) => onOpen(/** @type {CustomEvent} */ (event).detail));
    this.#grid.addEventListener("resize", () => this.#refetchLater());
    this.#filters = new GalleryFilters(filters);
    this.#filters.addEventListener("change", () => this.#restart());
    this.#filters.addEventListener("pause", () => this.#pause.set("button", this.#filters.isPaused));
    this.#pause = new InteractionPause(list);
    this.#pause.addEventListener("resume", () => this.#catchUp());
  }

  /** @param {string} stream */
  reset(stream) {
    this.#stream = stream;
    this.#filters.reset();
    this.#restart();
  }

  /** Old predictions are told with what their classes are called now. */
  applyCommand() {
    void this.refresh();
  }

  /** @param {Snapshot} snapshot */
  update(snapshot) {
    this.#filters.update(snapshot);
  }

  /** @param {Outcome} outcome */
  applyOutcome(outcome) {
    if (isApplied(outcome)) {
      this.#truthsSince?.set(outcome.id, outcome.label);
      for (const tile of [...this.#grid.tiles, ...this.#loading]) {
        if (tile.prediction.id === outcome.id) tile.setTruth(outcome.label);
      }
      for (const prediction of this.#arrived) if (prediction.id === outcome.id) prediction.truth = outcome.label;
    }
    if (!this.#filters.filter.isLive) this.#refetchLater();
  }

  /**
   * A prediction has just been made.
   * @param {Prediction} prediction
   */
  addPrediction(prediction) {
    if (!this.#filters.filter.isLive) return this.#refetchLater();
    if (!this.#filters.filter.accepts(prediction)) return;
    this.#arrived.unshift(prediction);
    this.#arrived.length = Math.min(this.#arrived.length, MAX_TILES);
    this.#flushLater();
  }

  /**
   * Fetches what the filter asks for; while paused with tiles that pass it, only once nothing pauses the gallery. What
   * comes meanwhile is shown after the answer, which may not have it yet.
   */
  async refresh() {
    const fetchNumber = ++this.#fetchCount;
    this.#truthsSince = null;
    if (this.#stream === null || this.#putsOffFetch()) return;
    this.#arrived = [];
    this.#truthsSince = new Map();
    try {
      const { list: predictions, random } = await this.#fetch(this.#stream);
      if (fetchNumber === this.#fetchCount) this.#take(predictions, random);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (fetchNumber !== this.#fetchCount) return;
      this.#truthsSince = null;
      this.#setNote(error.message);
      this.#refetchLater();
    }
  }

  /**
   * The prediction some places after another one as they stand, or null.
   * @param {string} id
   * @param {number} offset
   */
  neighbour(id, offset) {
    return this.#grid.neighbour(id, offset);
  }

  /**
   * How a listed image was chosen to be labelled; undefined where the list chooses none.
   * @param {string} id
   * @returns {LabelReason | undefined}
   */
  reasonOf(id) {
    if (this.#random.has(id)) return "random";
    return this.#filters.filter.reason;
  }

  /**
   * Nothing moves while a dialog is open over the gallery.
   * @param {boolean} isOpen
   */
  setDialogOpen(isOpen) {
    this.#pause.set("dialog", isOpen);
  }

  /** @param {string} id */
  focus(id) {
    this.#grid.focus(id);
  }

  /**
   * Shows the images of one cell of the confusion matrix.
   * @param {{predicted: string, truth: string, model: string | null}} cell `model`: a challenger, null for the champion
   */
  showCell(cell) {
    this.#filters.showCell(cell);
  }

  /**
   * What the filter asks for; where it mixes in images drawn at random, with these.
   * @param {string} stream
   * @returns {Promise<{list: Prediction[], random: Set<string>}>}
   */
  async #fetch(stream) {
    const { filter } = this.#filters;
    const queue = filter.toQueueQuery(MAX_TILES);
    if (queue === null) {
      return { list: await this.#client.predictions(stream, filter.toQuery(MAX_TILES)), random: new Set() };
    }
    if (!filter.mixesInRandom) return { list: await this.#client.queue(stream, queue), random: new Set() };
    const [uncertain, drawn] = await Promise.all([
      this.#client.queue(stream, queue),
      this.#client.queue(stream, { ...queue, by: "random", sample: true }),
    ]);
    return mixInRandom(uncertain, drawn, MAX_TILES);
  }

  /** Whether nothing may move now: then the fetch is due afterwards. */
  #putsOffFetch() {
    this.#isFetchDue = this.#isCurrent && this.#pause.isPaused;
    return this.#isFetchDue;
  }

  /**
   * @param {Prediction[]} predictions
   * @param {Set<string>} random
   */
  #take(predictions, random) {
    const truths = this.#truthsSince ?? new Map();
    this.#truthsSince = null;
    if (this.#putsOffFetch()) return;
    for (const prediction of predictions) {
      if (truths.has(prediction.id)) prediction.truth = truths.get(prediction.id);
    }
    this.#isCurrent = true;
    this.#random = random;
    this.#show(predictions.map((prediction) => this.#tileOf(prediction)));
    this.#setNote();
    if (this.#arrived.length > 0) this.#flushLater();
  }

  #restart() {
    this.#arrived = [];
    this.#random = new Set();
    this.#loading = [];
    this.#isCurrent = false;
    this.#show([]);
    this.#pause.forgetFocus();
    void this.refresh();
  }

  #catchUp() {
    if (this.#isFetchDue) void this.refresh();
    else if (this.#filters.filter.isLive) this.#flushLater();
    else this.#refetchLater();
  }

  /** New tiles come in once their images are loaded, so that nothing flickers. */
  async #flush() {
    if (this.#loading.length > 0 || this.#truthsSince !== null) return;
    if (this.#pause.isPaused) {
      if (this.#arrived.length > 0) this.#setNote(pausedNote(this.#arrived.length));
      return;
    }
    const predictions = this.#grid.notShown(this.#arrived).slice(0, this.#grid.capacity);
    const loading = predictions.map((prediction) => this.#tileOf(prediction));
    this.#arrived = [];
    this.#loading = loading;
    this.#setNote();
    await Promise.race([Promise.all(loading.map((tile) => tile.loaded)), delay(MAX_IMAGE_WAIT_MS)]);
    if (this.#loading !== loading) return; // The stream or the filter is another one now.
    this.#loading = [];
    if (this.#pause.isPaused) this.#arrived.push(...loading.map((tile) => tile.prediction));
    else this.#prepend(loading);
    if (this.#arrived.length > 0) this.#flushLater();
  }

  /**
   * While their images were loading, a fetch may have brought some of them.
   * @param {Tile[]} tiles
   */
  #prepend(tiles) {
    const notShown = new Set(this.#grid.notShown(tiles.map((tile) => tile.prediction)));
    if (notShown.size === 0) return;
    this.#show([...tiles.filter((tile) => notShown.has(tile.prediction)), ...this.#grid.tiles]);
  }

  /** @param {Tile[]} tiles */
  #show(tiles) {
    this.#grid.show(tiles);
    const command = this.commands && this.#stream !== null ? this.commands.streamFolder(this.#stream) : null;
    this.#empty.hidden = this.#grid.tiles.length > 0;
    setText(this.#empty, this.#filters.filter.emptyText(command));
  }

  /**
   * The tile that shows a prediction already, brought up to date, or a new one.
   * @param {Prediction} prediction
   */
  #tileOf(prediction) {
    const stream = this.#stream ?? "";
    const tile = this.#grid.findTile(prediction);
    if (!tile) return new Tile(prediction, (id, size) => this.#client.imageUrl(stream, id, size), this.#filters.filter.model);
    tile.update(prediction);
    return tile;
  }

  /** @param {string} [text] none: what the filter shows */
  #setNote(text = this.#filters.filter.note) {
    setText(this.#note, text);
  }
}

/** @param {number} count of predictions that wait */
function pausedNote(count) {
  return `Held still while you look: ${formatCount(count)}${count === MAX_TILES ? " or more" : ""} new.`;
}
