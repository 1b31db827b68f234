"""Every deadline, polling interval and backoff in one table, in seconds, each with its reason."""

from prequel.shared.runtime.retry import Backoff

# The gateway's answers. The parts of one answer come one after the other; together they stay below the whole.

ANSWER_S = 5.0
"""A whole answer, whichever server hangs: people give up after about ten seconds, and their tools try again."""

STORE_READ_S = 1.2
"""Reading a status from the store, which takes a millisecond: after a second the newest copy that the gateway
has is the better answer."""

APPEND_S = 3.5
"""One append: a new leader is elected by then, and after STORE_READ_S the answer is still within ANSWER_S."""

FIRST_READ_S = 1.2
"""Reading back from the log which image had an id first, which takes milliseconds: with APPEND_S, within ANSWER_S."""

ADDRESS_S = 0.5
"""Reading a learner's or an extractor's address from the store before a request to it; then the last known is used."""

GATEWAY_GRACE_S = 1
"""Requests in progress when the gateway stops; whole seconds. Clients that wait for an event are released before."""

FOLLOWER_CLOSE_S = 3.0
"""Followers leaving the log when the gateway stops: one that hangs has no unsaved work, and a stop has 10 s in all."""

QUERY_S = 4.0
"""Whatever else blocks an answer: a learner's reply over HTTP, an image read back from the log, a thumbnail."""

DETAIL_S = 1.0
"""A learner's curve and matrix: then the copy in the store, as of the newest snapshot, is the better answer."""

LEARNER_CONNECT_S, LEARNER_READ_S = 1.0, 3.0
"""Together QUERY_S: a learner answers from memory, after the batch in progress at the latest."""

READ_YOUR_WRITES_S = 2.0
"""Until a status includes what a call with `wait` has answered: a learner publishes within a quarter of a second."""

DELETED_STATUS_S = 1.0
"""Until the status of a stream that was deleted is gone: a learner removes it within a quarter of a second."""

READ_YOUR_WRITES_BACKOFF = Backoff(0.01, 0.1)
"""Between two reads of such a status: the store does not notify, and an idle learner publishes within 10 ms."""

APPEND_PROBLEM_SHOWN_S = 5.0
"""How long /readyz shows an append that failed, if no other follows: a probe looks at least once in that time."""

GATEWAY_CLOSE_S = 1.0
"""Appends in progress when the gateway stops: no client has been told that they succeeded."""

EVENT_LOOP_S = 60.0
"""For the event loop to accept what a follower has read: it never blocks, so a loop that takes longer is stuck."""

# Incoming requests.

REQUEST_HEAD_S = 30.0
"""For the first request on a connection, and for each whole head, which is one packet: a client that needs longer keeps
a connection from others."""

BODY_SILENCE_S = 20.0
"""Between two parts of a body: a connection that is silent for so long is broken, and what has arrived takes memory."""

BODY_S = 300.0
"""A whole body: the largest form takes half of it at 4 Mbit/s. All bodies together have one limit of memory."""

# The store.

REDIS_COMMAND_S = 5.0
"""One try of one command: the largest moves 512 KiB, and a Redis that saves or loads may not answer for seconds."""

REDIS_RETRIES = 2
"""Of a command whose answer was lost, after the first try: in the best networks connections break, but only once."""

REDIS_BACKOFF = Backoff(0.05, 0.5)
"""Between these tries: a broken connection is replaced at once, and in half a second a fail-over's address is known."""

REDIS_READS = 20
"""How often a value is read again that was replaced during the read: its writers hardly have time to do so twice."""

STORE_BACKOFF = Backoff(0.25, 2.0)
"""Until the gateway asks an unavailable store again: statuses are current two seconds after it is back."""

STATUS_BACKOFF = Backoff(0.5, 5.0)
"""Until the learner tries again to write statuses: with a hanging store every try delays learning."""

ERASE_BACKOFF = Backoff(5.0, 60.0)
"""Until the records of a deleted stream are erased again after log or store refused: nothing waits for it, and a full
disk does not get room any sooner."""

METRIC_BACKOFF = Backoff(5.0, 60.0)
"""Until a failed measurement is made again: nothing depends on it, and every try may delay the work."""

# Consumer groups and background work.

REJOIN_BACKOFF = Backoff(0.5, 5.0)
"""Until a service that could not work checks whether it can: work goes on five seconds after an outage ends. Shorter
would disturb the healthy members of the group, longer would be noticed."""

RESTART_BACKOFF = Backoff(0.5, 10.0)
"""Until a background task that failed is started again: a bug that appears at every start must not fill the disk with
its log lines."""

FOLLOW_BACKOFF = Backoff(0.5, 2.0)
"""Until a follower asks an unavailable log again: what the gateway shows is current two seconds after it is back."""

# The embedded log and store.

SQLITE_BUSY_S = 10.0
"""Another process's transaction on the same file: the largest is 16 MiB and takes a second on a slow disk."""

SQLITE_CHECKPOINT_BUSY_S = 0.1
"""For readers to finish before the write-ahead log is restarted: the next chance comes after another 16 MiB."""

SQLITE_WAL_BACKOFF = Backoff(0.002, 0.05)
"""Between tries to switch a file to a write-ahead log while another process creates it: that takes milliseconds."""

SQLITE_POLL_MIN_S, SQLITE_POLL_MAX_S = 0.001, 0.050
"""Between two looks for records of another process: the shorter while records arrive, the longer after seconds without.
A look costs 20 microseconds, and the interval is what an image waits for between two processes."""

FILE_LOCK_BACKOFF = Backoff(0.02, 0.2)
"""Between tries to lock a file: what waits for it is about to do something that takes minutes."""

REPLAY_WAIT_S = 60.0
"""For a replay until pruning pauses, which it does three times in that time."""

PRUNE_BUSY_S = 60.0
"""For `prequel prune` while another process prunes or replays: three passes of a process that prunes."""

PRUNE_BACKOFF = Backoff(0.1, 0.4)
"""Between two passes, so that a waiting rebuild gets its turn; and between tries to become the one who prunes."""

ERASE_PAUSE_S = 0.01
"""Between turns of erasing while there is nothing to learn: with a longer pause a large log would take hours."""

INTERRUPT_POLL_S = 0.5
"""Between two looks of a thread that waits for work which Ctrl-C ends: a signal that comes just before the wait begins
does not end the wait, and would be seen only once the work is done."""

REPLAY_POLL_S = 1.0
"""One poll of a replay: it returns with the first record, and all the records wanted are already in the log."""

COLLECTION_POLL_S = 0.001
"""Until another thread's garbage collection is looked at again: one takes a few milliseconds to tenths of a second."""

CATCH_UP_RETRY_S = 10.0
"""Until a catch-up that failed is tried again: a log that was away is back, or an operator has read why it fails."""

LEASE_S = 10.0
"""How long a member of an embedded group stays one without polling: a batch of images takes less."""

# Kafka.

KAFKA_REQUEST_S = 10.0
"""One request: brokers delay some for up to nine seconds while a partition's leader moves."""

KAFKA_DELIVERY_S = 30.0
"""A record's way into the log with all retries: a clean restart of a broker takes less."""

KAFKA_SESSION_S = 10.0
"""How long a silent member keeps its partitions: with less a busy machine loses them, with more a takeover takes
longer."""

KAFKA_SILENCE_S = 5.0
"""After so long without a record the brokers are asked whether there is one: the client has been seen to stall."""

KAFKA_WATCHDOG_S = 5.0
"""For the brokers' answer to that question."""

KAFKA_STARVED_S = 600.0
"""As KAFKA_SILENCE_S, for one partition while others deliver: where work is slow, it waits its turn behind them all."""

KAFKA_READ_SLICE_S = 1.0
"""A reader's long poll is cut into slices of this length, between which the watchdog looks."""

KAFKA_MEMBER_SLICE_S = 0.1
"""A member's long poll too: a change of ownership is reported at most this much later than it came."""

KAFKA_LOOKUP_SLICE_S = 0.5
"""One poll for a single record; between two that brought nothing, the partition's bounds are asked for."""

KAFKA_FETCH_S = 0.5
"""How long a broker may hold a fetch that finds nothing; it answers at once when a record comes. A shorter one
only means more requests while nothing happens."""

KAFKA_LOOKUP_FETCH_S = 0.01
"""The same for the look-up of a single record: a fetch held at the end of the log delays the next look-up."""

KAFKA_JOIN_POLL_S = 0.005
"""Between two checks whether a poll is running: the client may join only within one, and one begins in KAFKA_JOIN_S."""

KAFKA_JOIN_S = 0.05
"""The shortest poll while the group assigns partitions: the client joins only inside polls."""

KAFKA_CLOSE_S = 2.0
"""Leaving a group: without it the others notice after KAFKA_SESSION_S."""

KAFKA_RECONNECT_CAP_S = 1.0
"""The client's own longest backoff between two connections: services go on a second after a broker is back."""

COORDINATOR_BACKOFF = Backoff(0.1, 1.0)
"""Between requests for a group's coordinator: a new cluster has none for about a second after its first group."""

# The producer.

PRODUCER_CONNECT_S, PRODUCER_ANSWER_S = 5.0, 30.0
"""One try of one request: the gateway answers within ANSWER_S, but 32 images take time on a slow line."""

PRODUCER_RETRY_S = 60.0
"""How long a request is repeated: a restart of the services takes less."""

PRODUCER_BACKOFF = Backoff(0.2, 5.0)
"""Between these tries: the gateway asks for a second (Retry-After); the longer of the two is kept."""

PRODUCER_POLL_S = 1.0
"""How long the gateway may hold back its reply to one question for results: the progress bar is drawn in between."""

PRODUCER_COMMAND_S = 10.0
"""Until the learner has carried out a command; if it needs longer, it carries it out later all the same."""

EXPORT_SILENCE_S = 300.0
"""Between two parts of an export: one of few labels in a large log, read at the lowest priority, is silent for long."""

EVENTS_SILENCE_S = 45.0
"""Between two events of a connection that listens: the gateway sends one each 15 s, if only a ping."""

PRODUCER_BACKTEST_S = 0.5
"""Between two looks at a back-test or a catch-up, which take minutes; its learner notes the progress as often."""

CATCH_UP_S = 600.0
"""A program's wait for a catch-up, unless it says otherwise: some thousand events a second make that millions."""

REEXTRACT_POLL_S = 0.5
"""Between two looks at a replay that takes minutes, or at how far the extractors have come."""

REEXTRACT_SETTLE_S = 60.0
"""The extractors finish none of the images that they have for so long after a switch: they are not running, or have not
the new backbone's weights."""

PRODUCER_SETTLE_S = 10.0
"""Until the last labels show in the answers: they are in the log, and the learner has already read them."""

PRODUCER_SETTLE_BACKOFF = Backoff(0.05, 0.5)
"""Between two looks for them: each is a request for up to a thousand ids."""

PRODUCER_SILENCE_S = 15.0
"""How long services that report no problem may make no progress before an image counts as unanswered."""

# Processes.

OPS_IDLE_S = 30.0
"""The next request, or the rest of one, on a connection of the operations server: each connection is a thread."""

EXPORT_START_S = 60.0
"""Until an export has its first byte: the stream is restored for it as by a learner that starts, in a second or two; a
state of gigabytes takes longer."""

EXPORT_READER_S = 60.0
"""For the client of an export to take a frame of it, 256 KB: one that does not read holds one of two places, which the
next client waits for. With half, a slow line would lose its export; with double, all others would wait for longer."""

JOB_KILL_S = 10.0
"""For the process of a replay to be gone after SIGKILL, which takes milliseconds; longer only where its disk hangs."""

CONVERTER_SIGNAL_S = 10.0
"""Ctrl-C also reaches the process that converts a backbone, which may end before this one has noticed the signal."""

MODEL_CONVERSION_S = 120.0
"""Making a Keras or ONNX file of a model, in a process of its own: ten seconds to import Keras on a cold disk, as many
to build the largest backbones. With half, a laptop under load would not finish; with double, nobody waits for it."""

DOWNLOAD_SILENCE_S = 60.0
"""Between two parts of weights that are downloaded: a server that is silent for so long is not there, and the images of
the streams that need them wait."""

BACKBONE_BACKOFF = Backoff(15.0, 300.0)
"""Until a backbone that could not be loaded is tried again when an image needs it: a try takes seconds of a core, and
what is missing, weights or memory, is provided by people."""

BACKBONE_ON_DEMAND_S = 2.0
"""For a backbone that a prediction on demand has to wait for: it is loaded from the cache in half a second, and the
caller's own LEARNER_READ_S is for all of it."""

BACKBONE_HELD_S = 0.5
"""One wait for a backbone while so many images need it that no more are taken in: polls go on between, as the sign of
life that Member.poll is."""

STREAM_BACKBONES_S = 1.0
"""Between two looks at which backbones the streams have: for so long the images of a stream that was deleted, and
created with another, are extracted with the old one. Half of it would double the reads of the store."""

STREAM_BACKBONES_AGE_S = 10.0
"""How old an answer may be when an image comes of a stream that had none for a while: it may have been deleted since.
Looks at busy streams come earlier than that, so that no image waits for the store. After a switch `reextract` waits as
long: then every extractor has seen it."""

STREAM_BACKBONES_BACKOFF = Backoff(0.5, 5.0)
"""The same while the store is away: what is known goes on being used."""
