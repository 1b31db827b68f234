"""Every deadline, interval of waiting and backoff in one table, in seconds, each with its reason."""

from prequel.shared.runtime.retry import Backoff

# Answers of the gateway. The parts of one answer come one after the other and stay below the whole together.

ANSWER_S = 5.0
"""No answer keeps a client longer because a server hangs: people give up after about ten, and their tools retry."""

STORE_READ_S = 1.2
"""For a status out of the store, which takes a millisecond: who waits longer is better served with the newest known."""

APPEND_S = 3.5
"""For an append: a new leader is found by then, and with STORE_READ_S before it, it stays within ANSWER_S."""

FIRST_READ_S = 1.2
"""For what first came under an id, read back from the log in milliseconds: with APPEND_S after it, within ANSWER_S."""

ADDRESS_S = 0.5
"""For a learner's or an extractor's address out of the store, before it is asked: then the newest known has to do."""

GATEWAY_GRACE_S = 1
"""For requests in progress when the gateway ends; whole seconds. Who waits for an event is let go before."""

FOLLOWER_CLOSE_S = 3.0
"""For followers to leave when the gateway ends: one that hangs in the log keeps nobody's work, and a stop has 10 s."""

QUERY_S = 4.0
"""For whatever else blocks an answer: a learner asked over HTTP, an image read back from the log, a thumbnail."""


DETAIL_S = 1.0
"""For a learner's curve and matrix: after it the store's copy, as of the newest snapshot, is the better answer."""

LEARNER_CONNECT_S, LEARNER_READ_S = 1.0, 3.0
"""Together QUERY_S: a learner answers from memory, after the batch in progress at most."""

READ_YOUR_WRITES_S = 2.0
"""For a status that shows what a call with `wait` has answered: a learner publishes within a quarter of a second."""

READ_YOUR_WRITES_BACKOFF = Backoff(0.01, 0.1)
"""Between looks for such a status: the store does not tell, an idle learner has published it in ten milliseconds."""

APPEND_PROBLEM_SHOWN_S = 5.0
"""How long /readyz tells of an append that failed, where none follows: a probe looks once in that time."""

GATEWAY_CLOSE_S = 1.0
"""For appends in progress when the gateway ends: nobody was told that they are there."""

EVENT_LOOP_S = 60.0
"""For the event loop to take in what a follower has read: it never blocks, so a loop that takes longer is stuck."""

# Requests that come in.

REQUEST_HEAD_S = 30.0
"""For the first request on a connection, and the whole head of each: that is one packet. Who needs longer holds a
connection that others would use."""

BODY_SILENCE_S = 20.0
"""Between two parts of a body: a line that brings nothing for so long is dead, and what has come takes memory."""

BODY_S = 300.0
"""For a whole body: the largest form in half of it on a line of 4 Mbit/s. All bodies at once share one bound."""

# The store.

REDIS_COMMAND_S = 5.0
"""One try of one command: the largest moves 512 KiB, and a Redis that saves or loads may be silent for seconds."""

REDIS_RETRIES = 2
"""Of a command whose answer was lost, on top of the first try: connections break in the best networks, once."""

REDIS_BACKOFF = Backoff(0.05, 0.5)
"""Between these tries: a broken connection is made anew at once; in half a second a fail-over's address settles."""

REDIS_READS = 20
"""A value that is replaced while it is read is read anew so often: its writers have hardly time to do that twice."""

STORE_BACKOFF = Backoff(0.25, 2.0)
"""Until the gateway asks a store again that was away: statuses are current two seconds after it is back."""

STATUS_BACKOFF = Backoff(0.5, 5.0)
"""Until the learner tries again to write statuses: a hanging store would hold the fold up for each try."""

ERASE_BACKOFF = Backoff(5.0, 60.0)
"""Until the records of a deleted stream are erased again where the log or the store refuse: nothing waits for it, and
a full disk is not emptied sooner."""

METRIC_BACKOFF = Backoff(5.0, 60.0)
"""Until a failing measurement is made again: nothing depends on it, and each may hold the fold up."""

# Groups and background work.

REJOIN_BACKOFF = Backoff(0.5, 5.0)
"""Until a service that could not work looks again whether it could: work goes on five seconds after an outage ends.
Shorter would disturb the healthy members of the group, longer would be felt."""

RESTART_BACKOFF = Backoff(0.5, 10.0)
"""Until a background task that failed is started again: a bug that shows at each start must not fill the log's disk."""

FOLLOW_BACKOFF = Backoff(0.5, 2.0)
"""Until a follower asks a log again that was away: what the gateway shows is current two seconds after it is back."""

# The embedded log and store.

SQLITE_BUSY_S = 10.0
"""For another process's transaction on the same file: the largest is 16 MiB and takes a second on a slow disk."""

SQLITE_CHECKPOINT_BUSY_S = 0.1
"""For readers to let a checkpoint restart the write-ahead log: it comes again with the next 16 MiB."""

SQLITE_WAL_BACKOFF = Backoff(0.002, 0.05)
"""Until a file that two processes make together is asked again to use a write-ahead log: that takes milliseconds."""

SQLITE_POLL_MIN_S, SQLITE_POLL_MAX_S = 0.001, 0.050
"""Between looks for what another process appends: the shorter while records come, the longer once they have not for
seconds. A look costs 20 microseconds, and is what an image waits for between two processes."""

FILE_LOCK_BACKOFF = Backoff(0.02, 0.2)
"""Until it is looked again whether a lock file is free: who waits is about to begin something that takes minutes."""

REPLAY_WAIT_S = 60.0
"""For a replay until pruning pauses, which it does three times in that time."""

PRUNE_BUSY_S = 60.0
"""For `prequel prune` while somebody else prunes or replays: three passes of a process that does the same."""

PRUNE_BACKOFF = Backoff(0.1, 0.4)
"""Between two passes, so that a rebuild which waits for its turn gets it; and until it is asked again who prunes."""

ERASE_PAUSE_S = 0.01
"""Between turns of erasing while there is something to erase and nothing to learn: more, and a large log takes long."""

REPLAY_POLL_S = 1.0
"""One poll of whoever reads the log again: it ends with the first record, and all that are wanted are there."""

LEASE_S = 10.0
"""Without a poll for as long a member of an embedded group is sure to stay one: a batch of images takes less."""

# Kafka.

KAFKA_REQUEST_S = 10.0
"""One request: brokers hold some back for up to nine seconds while a partition's leader moves."""

KAFKA_DELIVERY_S = 30.0
"""A record's way into the log with all retries: a clean restart of a broker takes less."""

KAFKA_SESSION_S = 10.0
"""How long a silent member keeps its partitions: with less a busy machine loses them, with more a takeover waits."""

KAFKA_SILENCE_S = 5.0
"""How long no record may come before the brokers are asked whether there is none: the client has stalled before."""

KAFKA_WATCHDOG_S = 5.0
"""For the brokers' answer to that."""

KAFKA_STARVED_S = 600.0
"""As KAFKA_QUIET_S for one partition while others deliver: where work is slow, it waits its turn behind all of them."""

KAFKA_READ_SLICE_S = 1.0
"""A long poll of a reader is cut into such, for the watchdog to look in."""

KAFKA_MEMBER_SLICE_S = 0.1
"""A long poll of a member, too: a change of ownership is told at most this much later than it came."""

KAFKA_LOOKUP_SLICE_S = 0.5
"""One poll for a single record; the bounds are asked between two that brought nothing."""

KAFKA_LOOKUP_FETCH_S = 0.01
"""How long a broker may hold a fetch at the end of the log: one that reads ahead there delays the next search."""

KAFKA_JOIN_POLL_S = 0.005
"""Between looks whether a poll is going on, in which alone the client may join: it begins within KAFKA_JOIN_S."""

KAFKA_JOIN_S = 0.05
"""How long a poll waits at least while the group assigns partitions: the client joins only inside polls."""

KAFKA_CLOSE_S = 2.0
"""For leaving a group: the others notice without it after KAFKA_SESSION_S."""

KAFKA_RECONNECT_CAP_S = 1.0
"""The client's own backoff between two connections: services go on a second after a broker is back."""

COORDINATOR_BACKOFF = Backoff(0.1, 1.0)
"""Until a group's coordinator is asked for again; a new cluster has none before the first group, for about a second."""

# The producer.

PRODUCER_CONNECT_S, PRODUCER_ANSWER_S = 5.0, 30.0
"""One try of one request: the gateway answers within ANSWER_S, but 32 images take their time on a slow line."""

PRODUCER_RETRY_S = 60.0
"""How long a request is repeated: a restart of the services takes less."""

PRODUCER_BACKOFF = Backoff(0.2, 5.0)
"""Between these: the gateway asks for a second (Retry-After), which is kept where it is longer."""

PRODUCER_POLL_S = 1.0
"""How long the gateway may hold one question for an answer back: a progress bar is drawn between two."""

PRODUCER_COMMAND_S = 10.0
"""For the learner to carry a command out; it does what was asked also when it comes to it later."""

PRODUCER_SETTLE_S = 10.0
"""For the last labels to show: they are in the log, and the learner has come to them already."""

PRODUCER_SETTLE_BACKOFF = Backoff(0.05, 0.5)
"""Between looks for these: each is a request for up to a thousand ids."""

PRODUCER_SILENCE_S = 15.0
"""How long services that say nothing is wrong may stand still before an image is given up as unanswered."""

# Processes.

OPS_IDLE_S = 30.0
"""For the next request, or the rest of one, on a connection of the operations server: each holds a thread."""

CONVERTER_SIGNAL_S = 10.0
"""Ctrl-C reaches the process that converts a backbone too, which may end before this one has noticed."""
