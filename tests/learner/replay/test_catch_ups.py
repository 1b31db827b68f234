"""Catch-ups as a learner makes them: begun by decisions, renewed, handed over, shown, refused, and on a schedule."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.learner import Learner
from prequel.services.learner.replay.jobs.base import Job, JobContext, JobFailed, RunningJob
from prequel.services.learner.replay.jobs.in_process import InProcessWorkers
from prequel.services.learner.replay.jobs.kinds import KINDS
from prequel.shared.config import Settings
from prequel.shared.events.commands import encode_command
from prequel.shared.events.decoding import decode_prediction_event
from prequel.shared.events.types import Applied
from prequel.shared.log.base import EXAMPLES, PREDICTIONS, Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.status import StreamStatus, key
from prequel.shared.store.sqlite import SqliteStore
from tests.learner.building import ExampleLog, Registry, new_fold

MORNING = 1_700_000_000.0 - 1_700_000_000 % 86_400 + 3 * 3_600
"""Three o'clock, UTC, of some day."""


class FailingWorkers:
    """Fails the first ``failures`` jobs, as a log that is away does."""

    def __init__(self, workers: InProcessWorkers, failures: int) -> None:
        self._workers, self.failures = workers, failures

    def start(self, job: Job) -> RunningJob:
        self.failures -= 1
        if self.failures >= 0:
            raise JobFailed("the log could not be read")
        return self._workers.start(job)


class Running:
    """A learner on an embedded log, one turn at a time; ``polls`` turns pass before a replay is made."""

    def __init__(self, folder: Path, *, polls: int = 1, failures: int = 0, **settings: object) -> None:
        self.now, self.polls, self.failures = MORNING, polls, failures
        self.settings = Settings.model_validate({"models": "nearest", **settings})
        self.log, self.store = SqliteLog(folder / "log"), SqliteStore(folder / "store")
        self.generation = 0
        self.restart()

    def restart(self) -> None:
        self.generation += 1
        context = JobContext(settings=self.settings, log=self.log, store=self.store, registry=Registry())
        self.learner = Learner(
            self.settings,
            log=self.log,
            store=self.store,
            registry=Registry(),
            metrics=Metrics(CollectorRegistry()),
            clock=lambda: self.now,
            owner=f"o{self.generation}",
            workers=FailingWorkers(InProcessWorkers(KINDS, context, self.polls), self.failures),
        )
        self.position = self.learner.restore(0, self.generation)

    def turn(self, *, max_records: int = 1_000) -> None:
        with closing(self.log.follow(EXAMPLES, {0: self.position})) as reader:
            processed = self.learner.process(reader.poll(max_records, 0.0))
            self.position = reader.positions()[0]
        self.log.append(list(processed.messages))
        self.learner.checkpoint({0: self.position})

    def turns(self, count: int) -> None:
        for _ in range(count):
            self.turn()

    def command(self, do: str, id: str = "", **arguments: object) -> None:
        id = id or f"c{self.log.bounds(EXAMPLES)[0].end}"
        self.append(encode_command("s", id, do, arguments=arguments, by="t", time=self.now, source="test"))

    def append(self, *messages: Message) -> None:
        self.log.append(list(messages))

    @property
    def status(self) -> StreamStatus:
        body = self.store.get(key("s"))
        assert body is not None
        return StreamStatus.model_validate_json(body)

    def results(self, do: str) -> list[Applied]:
        end = self.log.bounds(PREDICTIONS)[0].end
        events = map(decode_prediction_event, self.log.read(PREDICTIONS, 0, range(end)).values())
        return [event for event in events if isinstance(event, Applied) and event.do == do]

    def folded_again(self) -> Fold:
        """The log, folded from its beginning without a learner, with nobody to replay but itself."""
        fold = new_fold(self.log, models="nearest")
        fold.apply(list(self.log.read(EXAMPLES, 0, range(self.log.bounds(EXAMPLES)[0].end)).values()))
        return fold

    def close(self) -> None:
        self.learner.close()
        self.store.close()
        self.log.close()


Start = Callable[..., Running]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    begun: list[Running] = []

    def begin(**settings: object) -> Running:
        begun.append(Running(tmp_path / str(len(begun)), **settings))  # type: ignore[arg-type]
        return begun[-1]

    yield begin
    for running in begun:
        running.close()


def examples(count: int = 12, labels: str = "abc") -> list[Message]:
    """Images of three classes, each with its label; some are corrected later."""
    log, random = ExampleLog(), np.random.default_rng(0)
    for number in range(count):
        log.features(f"i{number}", list(random.normal(size=3) + number % 3), labels[number % 3])
    log.label("i1", "a")
    return [Message(EXAMPLES, record.key, record.value, record.headers) for record in log.records]


def test_a_model_joins_and_the_state_is_that_of_any_later_fold(start: Start) -> None:
    running = start()
    running.append(*examples())
    running.command("models.add", model="ncm")
    running.turns(4)
    again = running.folded_again()
    assert list(running.status.models) == ["nearest", "ncm"]
    assert running.status.models["ncm"].scored == running.status.models["nearest"].scored > 0
    assert running.learner.history("s").commands[0].catching_up is False
    assert again.streams["s"].config.models == ("nearest", "ncm")
    assert _digest(running) == again.digest()


def test_until_the_hand_over_the_status_says_what_it_waits_for(start: Start) -> None:
    running = start(polls=3)
    running.append(*examples())
    running.command("models.add", model="ncm", id="add")
    running.turn()
    catching_up = running.status.catching_up
    assert catching_up is not None
    assert (catching_up.commands, catching_up.models, catching_up.problem) == (["add"], ["ncm"], "")
    assert list(running.status.models) == ["nearest"]
    running.turns(6)
    assert running.status.catching_up is None


def test_a_command_that_comes_meanwhile_makes_the_replay_obsolete(start: Start) -> None:
    running = start(polls=2)
    running.append(*examples())
    running.command("class.merge", **{"from": "a", "to": "b"})
    running.turn()
    running.command("class.delete", label="c")
    running.turns(8)
    assert running.status.labels == ["b"]
    assert running.status.catching_up is None
    assert _digest(running) == running.folded_again().digest()


def test_a_learner_that_restarts_begins_the_replay_anew(start: Start) -> None:
    running = start(polls=3)
    running.append(*examples())
    running.command("class.delete", label="c")
    running.turns(2)
    running.restart()
    running.turns(8)
    assert running.status.labels == ["a", "b"]
    assert len(running.results("stream.catch-up")) == 1
    assert _digest(running) == running.folded_again().digest()


def test_the_record_that_a_killed_learner_had_appended_is_met_by_a_replay_that_has_gone_on(start: Start) -> None:
    """A learner that is behind replays to the log's end, and comes to that record only afterwards."""
    running = start()
    running.append(*examples())
    running.command("models.rebuild")
    running.turn()
    running.restart()
    before = running.folded_again()
    given, settings = before.streams["s"].decisions.given, len(before.history)
    more = examples(40)[12:40]
    running.append(*more[:14])
    running.command("stream.catch-up", given=given, settings=settings, begin=0)
    running.append(*more[14:])
    corrections = ExampleLog()
    for label in "abc":  # Once more, they would be counted once more.
        corrections.label("i20", label)
    running.append(*(Message(EXAMPLES, record.key, record.value, record.headers) for record in corrections.records))
    for _ in range(30):
        running.turn(max_records=2)
    assert [result.status for result in running.results("stream.catch-up")] == ["applied", "refused"]
    assert running.learner.answer("s", np.zeros(3, np.float32)).position == str(Position(0, running.position))
    assert _digest(running) == running.folded_again().digest()


def test_a_replay_that_fails_is_shown_and_tried_again(start: Start) -> None:
    running = start(failures=1)
    running.append(*examples())
    running.command("class.delete", label="c")
    running.turns(3)
    catching_up = running.status.catching_up
    assert catching_up is not None
    assert catching_up.problem == "the log could not be read"
    running.now += 60
    running.turns(4)
    assert running.status.labels == ["a", "b"]


def test_a_stream_does_not_wait_for_ever_where_the_record_of_its_hand_over_is_refused(start: Start) -> None:
    """Here since somebody has used up the record's id: what is given twice counts once."""
    running = start()
    running.append(*examples())
    running.command("stream.catch-up", id="catch-up:o1:1", given=1, settings=1, begin=0)
    running.command("class.delete", label="c")
    running.turns(4)
    catching_up = running.status.catching_up
    assert catching_up is not None
    assert catching_up.problem == "the record at which it was to be handed over was refused"
    running.now += 60
    running.turns(4)
    assert running.status.labels == ["a", "b"]
    assert running.status.catching_up is None


def test_a_past_that_the_log_has_lost_is_not_thrown_away(start: Start) -> None:
    running = start()
    running.append(*examples())
    running.turn()
    running.log.pruning(EXAMPLES).delete_oldest(0, before=5)
    running.command("class.delete", label="c", id="delete")
    running.command("models.add", model="ncm")
    running.turns(6)
    (entry,) = [entry for entry in running.learner.history("s").commands if entry.id == "delete"]
    assert entry.status == "refused"
    assert 'give the command again with "from": "log"' in entry.why
    assert running.status.labels == ["a", "b", "c"]
    assert list(running.status.models) == ["nearest", "ncm"]
    assert running.status.catching_up is None
    running.command("class.delete", label="c", **{"from": "log"})
    running.turns(4)
    assert sorted(running.status.labels) == ["a", "b"]
    assert running.status.images < 12
    running.command("class.merge", **{"from": "a", "to": "b"})
    running.turns(4)
    assert running.status.labels == ["b"], "the stream begins where its log does now"


def test_a_model_that_joins_learns_a_class_that_comes_while_it_catches_up(start: Start) -> None:
    """So it does where the fold has to replay by itself."""
    running = start(polls=3)
    running.append(*examples())
    running.turn()
    running.log.pruning(EXAMPLES).delete_oldest(0, before=5)
    running.command("models.add", model="ncm")
    running.turn()
    running.append(*examples(15, labels="abd")[12:])
    running.turns(8)
    (partition,) = running.learner._partitions.values()
    assert partition.fold.streams["s"].config.models == ("nearest", "ncm")
    assert "d" in partition.fold.streams["s"].models[1].labels


def test_settings_that_come_before_a_refusal_is_met_do_not_leave_the_stream_waiting(start: Start) -> None:
    running = start()
    running.append(*examples())
    running.turn()
    running.log.pruning(EXAMPLES).delete_oldest(0, before=5)
    running.command("class.delete", label="c")
    settings = ExampleLog().defaults(models="nearest", window=50)
    running.append(Message(EXAMPLES, settings.key, settings.value, settings.headers))
    running.turn(max_records=1)
    running.turns(4)
    first, *_, last = [result.status for result in running.results("stream.catch-up")]
    assert (first, last) == ("refused", "applied")
    assert running.status.catching_up is None


def test_a_status_is_published_again_only_when_its_replay_has_got_on(start: Start) -> None:
    running = start(polls=1_000)
    running.append(*examples())
    running.command("models.add", model="ncm")
    running.turns(2)
    (partition,) = running.learner._partitions.values()
    assert partition.fold.streams["s"].decisions.pending
    assert running.learner._catch_ups.work() == []


@pytest.mark.parametrize("corrected", [True, False])
def test_models_are_rebuilt_once_a_day_where_corrections_were_not_exact(start: Start, corrected: bool) -> None:
    running = start(models="logistic", rebuild_at="03:30")
    running.append(*examples()[: None if corrected else -1])
    running.turns(2)
    assert not running.results("models.rebuild")
    running.now += 3_600
    running.turns(4)
    running.now += 3_600
    running.turns(2)
    assert len(running.results("models.rebuild")) == corrected
    running.now += 86_400
    running.turns(4)
    assert len(running.results("models.rebuild")) == corrected, "nothing was corrected since"


def _digest(running: Running) -> str:
    (partition,) = running.learner._partitions.values()
    return partition.fold.digest()
