"""Stands in for extractor and learner: answers every image and label with the real codec, on the real log and store."""

import re
import threading

import numpy as np

from prequel.shared import status
from prequel.shared.backtests import Backtest, BacktestRefused, BacktestRequest
from prequel.shared.events.commands import encode_applied
from prequel.shared.events.dead_letters import encode_rejected
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import encode_features
from prequel.shared.events.images import decode_image
from prequel.shared.events.names import id_digest, split_hashes
from prequel.shared.events.outcomes import TOO_MANY_LABELS, encode_outcome
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Applied, Command, Image, Label, Outcome, Prediction, Rejected
from prequel.shared.extraction import ExtractorUnavailable
from prequel.shared.images.encryption import ImageCipher
from prequel.shared.log.base import EXAMPLES, IMAGES, Log, Message, Position, Record
from prequel.shared.opinions import (
    ExampleQueue,
    Opinion,
    QueuedExample,
    QueueRequest,
    SimilarExamples,
    UnknownExample,
)
from prequel.shared.queries import Answer, ModelCannotLeave, UnknownStream
from prequel.shared.status import (
    CommandEntry,
    Confusion,
    CurvePoint,
    ModelStatus,
    StreamDetail,
    StreamHistory,
    StreamStatus,
)
from prequel.shared.store.base import Store
from prequel.shared.vectors import Vector
from tests.gateway.echo_backtests import EchoBacktests

SOURCE = "test/echo"
DIM = 4
MODELS = ("echo", "ridge", "slda;decay=0.001")
"""The specs that it says it could make."""


class EchoLearner:
    """Predicts the label that an image's bytes name (``...=cat@0.7``), and follows labels as a learner would.

    ``cat`` gets the probability behind the @ (0.9 without), ``other`` the rest. Bytes that hold ``broken`` become
    dead letters, of ``stranger`` the features do, those that hold ``silent`` get no answer. The label ``forbidden``
    becomes a dead letter.
    """

    def __init__(self, log: Log, store: Store) -> None:
        self._log, self._store = log, store
        self._backtests = EchoBacktests(store)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._follow, args=(topic,)) for topic in (IMAGES, EXAMPLES)]
        self._lock = threading.Lock()
        self.predictions: dict[tuple[str, str], Prediction] = {}
        self.truths: dict[tuple[str, str], str | None] = {}
        self.commands: list[tuple[str, CommandEntry]] = []
        """The stream, and what became of the command."""
        self._positions: dict[str, Position] = {}
        """Of each stream: behind all that was answered."""

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def answer(self, stream: str, features: Vector) -> Answer:
        if not any(known == stream for known, _ in self.predictions):
            raise UnknownStream(stream)
        if features.size != DIM:
            raise ValueError(f"{features.size} values, where the stream has {DIM}")
        return Answer(stream=stream, position="0:0", model="echo", label="cat", probabilities={"cat": 1}, models={})

    def detail(self, stream: str) -> StreamDetail:
        with self._lock:
            labelled = sum(known == stream and truth is not None for (known, _), truth in self.truths.items())
        return StreamDetail(
            stream=stream,
            position="0:0",
            classes={"echo": {}},
            curve=[CurvePoint(scored=1, accuracy={"echo": 1.0}, window_accuracy={"echo": 1.0})],
            confusion={"echo": Confusion(labels=["cat"], rows=[[labelled, 0]])},
        )

    def history(self, stream: str) -> StreamHistory:
        """The commands that were answered, the newest first."""
        with self._lock:
            if stream not in self._positions:
                raise UnknownStream(stream)
            commands = [entry for name, entry in reversed(self.commands) if name == stream]
            return StreamHistory(stream=stream, position=str(self._positions[stream]), commands=commands)

    def model_problem(self, stream: str, spec: str) -> str:
        if stream not in self._positions:
            raise UnknownStream(stream)
        return "" if spec in MODELS else f"there is no model {spec!r} (did you mean ridge?); there are: echo, ridge"

    def model_file(self, stream: str, spec: str) -> bytes:
        """Bytes that name stream and model; no model is called ``river``."""
        self._require(stream)
        if spec == "river":
            raise ModelCannotLeave("a pickle")
        return f"{stream}/{spec or MODELS[0]}".encode()

    def start_backtest(self, stream: str, request: BacktestRequest) -> Backtest:
        self._require(stream)
        for spec in request.models:
            if problem := self.model_problem(stream, spec):
                raise BacktestRefused(problem, "models")
        return self._backtests.start(stream, request)

    def end_backtest(self, stream: str, id: str) -> Backtest | None:
        self._require(stream)
        return self._backtests.end(stream, id)

    def _require(self, stream: str) -> None:
        with self._lock:
            if stream not in self._positions:
                raise UnknownStream(stream)

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        """Its predictions without a truth, in their order, two of each page at most."""
        with self._lock:
            if stream not in self._positions:
                raise UnknownStream(stream)
            waiting = [
                prediction
                for (name, id), prediction in self.predictions.items()
                if name == stream and self.truths.get((name, id)) is None
            ]
        begin = int(request.after.partition(":")[2]) if request.after else 0
        shown = waiting[begin : begin + min(2, request.limit)]
        following = begin + len(shown)
        return ExampleQueue(
            stream=stream,
            position=str(self._positions[stream]),
            by=request.by,
            model="echo",
            exact=True,
            examples=[_queued(prediction) for prediction in shown],
            asked=len(waiting),
            not_asked=0,
            next=f"0:{following}" if following < len(waiting) else None,
        )

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        """None is near anything."""
        if stream not in self._positions:
            raise UnknownStream(stream)
        if (stream, id) not in self.predictions:
            raise UnknownExample(f"{id} is not among the newest images of {stream}")
        position = str(self._positions[stream])
        return SimilarExamples(
            stream=stream, position=position, id=id, examples=[], typical_distance=1.0, asked=0, not_asked=0
        )

    def extract(self, backbone: str, data: bytes) -> Vector:
        """shared.extraction.Extraction, as refusing as the stream is."""
        assert backbone == "echo-1"
        if b"busy" in data:
            raise ExtractorUnavailable("so says the test")
        if b"broken" in data or b"huge" in data:
            raise Rejected("too-large" if b"huge" in data else "undecodable", "so says the test")
        return np.ones(DIM, np.float32)

    def write_status(self, stream: str) -> None:
        with self._lock:
            images = sum(known == stream for known, _ in self.predictions)
            labelled = sum(known == stream and truth is not None for (known, _), truth in self.truths.items())
            current = status_of(stream, images, labelled).model_copy(update={"position": str(self._positions[stream])})
            self._store.put(status.key(stream), current.model_dump_json().encode())

    def _follow(self, topic: str) -> None:
        reader = self._log.follow(topic, dict.fromkeys(self._log.bounds(topic), 0))
        while not self._stop.is_set():
            records = reader.poll(100, 0.05)
            messages = [message for record in records for message in self._answer(record)]
            if messages:
                self._log.append(messages)
        reader.close()

    def _answer(self, record: Record) -> list[Message]:
        if record.topic == IMAGES:
            (image,) = ImageCipher(self._store).decrypt([decode_image(record)])
            assert isinstance(image, Image)
            return self._predict(image, record)
        event = decode_example(record)
        if isinstance(event, Command):
            return [self._apply_command(event)]
        if not isinstance(event, Label):
            return []
        return [*_refuse_label(record, event.label), *self._learn(event)]

    def _predict(self, image: Image, record: Record) -> list[Message]:
        if b"silent" in image.data:
            return []
        if b"stranger" in image.data:
            return [self._refuse_features(image, record)]
        if b"broken" in image.data or b"huge" in image.data:
            reason = "too-large" if b"huge" in image.data else "undecodable"
            return [encode_rejected(record, Rejected(reason, "so says the test"), source=SOURCE, time=0)]
        prediction = predicted(image.stream, image.id, image.position, image.data, image.label)
        prediction = prediction._replace(attributes=image.attributes)
        refused = _refuse_label(record, image.label)
        with self._lock:
            self._advance(image.stream, image.position)
            # As a learner does: an id that comes again is a duplicate, which is counted and not predicted.
            first = self.predictions.setdefault((image.stream, image.id), prediction) is prediction
            self.truths.setdefault((image.stream, image.id), image.label)
        self.write_status(image.stream)
        return [*refused, encode_prediction(prediction, source=SOURCE)] if first else []

    def _advance(self, stream: str, at: Position) -> None:
        """Positions of two topics are one order here: each event moves it on, as a learner's own topic does."""
        before = self._positions.get(stream, Position(at.partition, 0))
        self._positions[stream] = Position(at.partition, max(before.offset, at.offset) + 1)

    def _refuse_features(self, image: Image, record: Record) -> Message:
        """As a learner refuses an example of a stream that is one too many."""
        message = encode_features(image, np.ones(DIM, np.float32), "echo-1", source=SOURCE)
        example = Record(EXAMPLES, 0, 999_999, message.key, message.value, message.headers, record.appended_at)
        return encode_rejected(example, Rejected("too-many-streams", "so says the test"), source=SOURCE, time=0)

    def _apply_command(self, command: Command) -> Message:
        if command.do == "example.forget":
            return self._forget(command)
        known = command.do == "stream.delete" and any(name == command.stream for name, _ in self.predictions)
        result = _applied(command, known)
        with self._lock:
            self._advance(command.stream, command.position)
            self.commands.append((command.stream, _entry(command, result)))
            if known:
                self._store.delete([status.key(command.stream)])
                self.predictions = {key: value for key, value in self.predictions.items() if key[0] != command.stream}
                self.truths = {key: value for key, value in self.truths.items() if key[0] != command.stream}
        return encode_applied(result, source=SOURCE)

    def _forget(self, command: Command) -> Message:
        digests = [split_hashes(text)[0] for text in command.arguments["hashed"]]
        with self._lock:
            by_digest = {id_digest(id): id for stream, id in self.predictions if stream == command.stream}
            ids = [by_digest.get(digest, "") for digest in digests]
            known = all(self.predictions.pop((command.stream, id), None) for id in ids)
            self._advance(command.stream, command.position)
        result = _applied(command, known)._replace(forgotten=tuple(digests) if known else ())
        return encode_applied(result, source=SOURCE)

    def _learn(self, label: Label) -> list[Message]:
        key = (label.stream, label.id)
        with self._lock:
            prediction, before = self.predictions.get(key), self.truths.get(key)
            state = _label_status(prediction, before, label.label)
            if state != "rejected":
                self.truths[key] = label.label
            self._advance(label.stream, label.position)
        outcome = Outcome(
            label.id,
            label.stream,
            label.position,
            state,
            label.label,
            before,
            prediction.label if prediction else None,
            True,
            label.time,
        )
        self.write_status(label.stream)
        return [encode_outcome(outcome, source=SOURCE)]


def _applied(command: Command, known: bool) -> Applied:
    status, why = ("applied", "") if known else ("refused", "so says the test")
    return Applied(command.id, command.stream, command.position, command.do, status, why, command.by, command.time)


def _entry(command: Command, result: Applied) -> CommandEntry:
    return CommandEntry(
        id=command.id,
        do=command.do,
        arguments=dict(command.arguments),
        by=command.by,
        at=command.time,
        position=str(command.position),
        status=result.status,
        why=result.why,
    )


def predicted(stream: str, id: str, image: Position, data: bytes, truth: str | None = None) -> Prediction:
    """The prediction that the bytes ask for."""
    asked = re.search(rb"=([a-z]+)(@0\.\d+)?$", data)
    label = asked[1].decode() if asked else "cat"
    probability = float(asked[2][1:]) if asked and asked[2] else 0.9
    probabilities = {label: probability, "other": 1 - probability}
    models = {"echo": label, "contrary": "dog" if label == "cat" else "cat"}
    return Prediction(id, stream, image, "echo", label, probabilities, models, truth, image, 1_000.0)


def _refuse_label(record: Record, label: str | None) -> list[Message]:
    """The dead letter of a label too many. As a learner's, it may come before the outcome or the prediction."""
    rejected = Rejected(TOO_MANY_LABELS, "so says the test")
    return [encode_rejected(record, rejected, source=SOURCE, time=0)] if label == "forbidden" else []


def _label_status(prediction: Prediction | None, before: str | None, label: str | None) -> str:
    if label == "forbidden":
        return "rejected"
    if prediction is None:
        return "waiting"
    if label is None:
        return "retracted"
    if before is None:
        return "learned"
    return "unchanged" if before == label else "corrected"


def status_of(stream: str, images: int, labelled: int) -> StreamStatus:
    model = ModelStatus(scored=labelled, accuracy=1, window_accuracy=1, kappa=None, log_loss=0.1, classes={})
    return StreamStatus(
        stream=stream,
        position=f"0:{images + labelled}",
        updated_at=1_000.0,
        backbone="echo-1",
        dim=DIM,
        images=images,
        labelled=labelled,
        label_coverage=labelled / max(images, 1),
        pending=images - labelled,
        waiting=0,
        labels=["cat"],
        statuses={"learned": labelled},
        champion="echo",
        window=50_000,
        models={"echo": model},
        snapshot=status.SnapshotStatus(position="0:1", at=990.0, bytes=10, seconds=0.1),
    )


def _queued(prediction: Prediction) -> QueuedExample:
    probabilities, models = dict(prediction.probabilities), dict(prediction.models)
    opinion = Opinion(label=prediction.label, probabilities=probabilities, models=models, unknown=False)
    return QueuedExample(
        id=prediction.id,
        position=str(prediction.position),
        at="2026-01-01T00:00:00.000Z",
        truth=None,
        opinion=opinion,
        prediction=opinion,
        duplicates=[],
        duplicate_count=0,
    )
