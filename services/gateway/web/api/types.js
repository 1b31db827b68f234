/** The JSON of the gateway's answers as types for the checker; nothing in this file runs. */

/**
 * Metrics of one class of one model; `support` counts the scored examples that truly are of it.
 * @typedef {object} ClassMetrics
 * @property {number | null} precision
 * @property {number | null} recall
 * @property {number | null} [f1]
 * @property {number} support
 * @property {number | null} [forgetting] Its best recall in a stretch of the stream minus its recall in the newest one.
 */

/**
 * Prequential metrics of one model; shares are 0 to 1, null before there is anything to measure.
 * @typedef {object} ModelMetrics
 * @property {number} scored
 * @property {number | null} accuracy
 * @property {number | null} window_accuracy
 * @property {number | null} fading_accuracy
 * @property {number | null} kappa
 * @property {number | null} log_loss
 * @property {number} drifts
 * @property {[number, number] | null} [interval] Where its accuracy lies: 95 %, however often one looks.
 * @property {number | null} [calibration_error] How far its confidence is from how often it is right, on average.
 * @property {Record<string, ClassMetrics>} classes
 */

/**
 * The champion's abstentions among labelled examples.
 * @typedef {object} AbstentionStatus
 * @property {number} abstained
 * @property {number} novel
 * @property {number | null} answered_accuracy
 */

/**
 * A challenger against the champion, on the newest labels; `text` says it in a sentence.
 * @typedef {{verdict: "open" | "better" | "worse" | "silent", text: string}} Verdict
 */

/** The champion on the labels of images that were drawn at random. */
/** @typedef {{labelled: number, accuracy: number, interval: [number, number]}} RandomSample */

/**
 * How often a set of classes held the truth, and how many it had on average; null before any was scored.
 * @typedef {{level: number, coverage: number | null, mean_size: number | null, scored: number}} PredictionSets
 */

/** @typedef {{scored: number, images: number, score: number}} FeatureDriftMark */

/** How often a model was right when it was about so sure. */
/** @typedef {{confidence: number, accuracy: number, count: number}} ReliabilityPoint */

/** @typedef {{models: Record<string, ReliabilityPoint[]>}} Reliability */

/** How an image was chosen to be labelled. @typedef {"random" | "uncertain" | "disagreement" | "correction"} LabelReason */

/**
 * What a gateway that is older than the page does not tell is undefined.
 * @typedef {object} StreamStatus
 * @property {string} stream
 * @property {string} position
 * @property {string} backbone
 * @property {number} images
 * @property {number} labelled
 * @property {number} label_coverage
 * @property {number} pending
 * @property {string[]} labels
 * @property {string} champion
 * @property {Record<string, ModelMetrics>} models
 * @property {number} feature_drift In deviations of what is usual in this stream.
 * @property {number} [feature_drift_threshold] Beyond it, the images have changed.
 * @property {FeatureDriftMark[]} [feature_drifts]
 * @property {Record<string, Verdict>} [verdicts] By challenger.
 * @property {{mixed: boolean, text: string} | null} [label_order]
 * @property {RandomSample | null} [random_sample]
 * @property {Record<string, number>} [label_reasons] Labels by why they were given.
 * @property {PredictionSets | null} [sets]
 * @property {AbstentionStatus | null} [unknown]
 * @property {string} [title] What people call the stream; empty: its name.
 * @property {CatchUp | null} [catching_up]
 */

/**
 * A replay of the log that some commands wait for: `progress` is 0 to 1, `models` those that join with it.
 * @typedef {{progress: number, commands: string[], models: string[], problem: string}} CatchUp
 */

/**
 * A command that changes a stream, with its own fields.
 * @typedef {{do: string, [field: string]: unknown}} StreamCommand
 */

/**
 * What became of a command; without a status, the learner has not processed it yet.
 * @typedef {object} CommandOutcome
 * @property {string} id
 * @property {"applied" | "refused" | "unchanged"} [status]
 * @property {string} [why]
 * @property {boolean} [catching_up]
 */

/**
 * A command that the stream was given, and what became of it.
 * @typedef {object} HistoryEntry
 * @property {string} id
 * @property {string} do
 * @property {Record<string, any>} arguments
 * @property {string} by
 * @property {string} at
 * @property {"applied" | "refused" | "undone"} status
 * @property {string} why
 * @property {string | null} undone_by
 * @property {boolean} undoable
 * @property {boolean} catching_up
 */

/** @typedef {{by: Record<string, number>, why: Record<string, number>}} LabelCounts */

/** The newest command first. @typedef {{commands: HistoryEntry[], labels: LabelCounts}} StreamHistory */

/**
 * Models that are tried on the past of a stream.
 * @typedef {object} Backtest
 * @property {string} id
 * @property {"waiting" | "running" | "done" | "failed" | "cancelled" | "forgotten"} status
 * @property {number} progress 0 to 1
 * @property {string[]} models
 * @property {string} [backbone] That they are tried on; empty, or from an old gateway missing: the stream's own.
 * @property {string} why
 * @property {BacktestResult | null} [result]
 */

/**
 * @typedef {object} BacktestResult
 * @property {string} champion
 * @property {string} [backbone] That all models but the champion learned from; empty: the stream's own.
 * @property {number} labelled
 * @property {string[]} [notes] What is missing, as sentences.
 * @property {Record<string, ModelMetrics>} models
 * @property {Record<string, Verdict>} verdicts Each against the champion.
 */

/**
 * What the newest state predicts for a picture; `unknown` where the model abstained.
 * @typedef {object} TrialPrediction
 * @property {string | null} label
 * @property {Record<string, number>} probabilities The ten largest.
 * @property {Record<string, string | null>} models
 * @property {boolean} [unknown]
 * @property {string[]} [set] Classes that hold the truth with the certainty of `set_level`, the ten likeliest of them.
 * @property {number} [set_level] 0 where there is no set.
 * @property {number} [set_size] How many classes the set has.
 */

/**
 * A prediction that is an event of the stream; `truth` is null until its label comes.
 * @typedef {object} PredictionEvent
 * @property {string} id
 * @property {string} position
 * @property {string} model
 * @property {string | null} image Where it is in the log: `partition:offset`; null: the example came as features.
 * @property {string} at
 * @property {string | null} truth
 * @property {Record<string, string>} [attributes]
 */

/**
 * Where a prediction is an opinion of the models as they are now: what was predicted when the image came, and how many
 * nearly equal images it stands for.
 * @typedef {{past?: Opinion, duplicates?: number}} FromQueue
 */

/** @typedef {PredictionEvent & TrialPrediction & FromQueue} Prediction */

/** @typedef {Pick<TrialPrediction, "label" | "probabilities" | "models" | "unknown">} Opinion */

/**
 * An image to look at, with what the models say of it now.
 * @typedef {object} QueuedExample
 * @property {string} id
 * @property {string} position
 * @property {string} at
 * @property {string | null} truth
 * @property {Opinion} opinion
 * @property {Opinion} prediction
 * @property {number} duplicate_count
 * @property {string | null} image
 */

/** @typedef {{model: string, exact: boolean, examples: QueuedExample[], not_asked: number}} ExampleQueue */

/** @typedef {"uncertain" | "disagreement" | "random" | "suspect"} QueueOrder */

/**
 * @typedef {object} QueueQuery
 * @property {QueueOrder} by
 * @property {string} [predicted]
 * @property {string} [truth]
 * @property {boolean} [sample]
 * @property {number} [limit]
 */

/**
 * @typedef {{
 *   id: string, label: string, by: string, labelled_at: string, distance: number, image: string | null
 * }} SimilarExample
 */

/** @typedef {{examples: SimilarExample[], typical_distance: number}} SimilarExamples */

/** @typedef {"learned" | "corrected" | "retracted" | "unchanged" | "waiting" | "expired" | "rejected"} OutcomeStatus */

/**
 * What became of a label.
 * @typedef {object} Outcome
 * @property {string} id
 * @property {string} stream
 * @property {string} position
 * @property {OutcomeStatus} status
 * @property {string | null} label
 * @property {string | null} previous
 * @property {boolean} exact Whether every model is as if the right label had come first.
 */

/**
 * A label that is in the log while its outcome is not known yet.
 * @typedef {object} AcceptedLabel
 * @property {string} id
 * @property {string} position
 * @property {undefined} [status]
 */

/** @typedef {{id: string, position: string, prediction?: Prediction}} AcceptedImage */

/** @typedef {{stream: string, do: string, status: string}} AppliedCommand */

/**
 * `interval`: where the accuracy since the start lies, 95 %; some points only.
 * @typedef {object} CurvePoint
 * @property {number} scored
 * @property {Record<string, number>} accuracy
 * @property {Record<string, number>} window_accuracy
 * @property {Record<string, [number, number]>} [interval]
 */

/** @typedef {{scored: number, model: string}} DriftMark */

/** @typedef {{points: CurvePoint[], drifts?: DriftMark[]}} AccuracyCurve */

/**
 * `rows[i][j]` counts examples of `labels[i]` that were predicted as `labels[j]`; a last column, those without a prediction.
 * @typedef {{labels: string[], rows: number[][]}} ConfusionCounts
 */

/**
 * How commands are typed for this gateway.
 * @typedef {{program: string, container: boolean, url: string | null, keys: boolean}} Installation
 */

/**
 * Which predictions to list. `truth`: a class, or empty for those without a label.
 * @typedef {object} PredictionQuery
 * @property {string} [sort]
 * @property {string} [predicted]
 * @property {string} [truth]
 * @property {boolean} [wrong]
 * @property {boolean} [sample] only those of the random sample, or only others
 * @property {string} [model]
 * @property {number} [limit]
 */

/** @typedef {"connecting" | "ready" | "live" | "absent" | "lost"} ConnectionState */

export {};
