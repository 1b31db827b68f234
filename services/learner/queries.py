"""Answers to the gateway from the newest state: predictions of a vector, the details and the history of a stream."""

import threading
import time
from collections.abc import Callable, Mapping

from prequel.services.learner.fold.calibration.ranking import own_predictions
from prequel.services.learner.fold.drift.reactions import check_spec
from prequel.services.learner.fold.evaluation.label_set import label_set
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.spec import UnknownModel
from prequel.services.learner.opinions.asking import Budget
from prequel.services.learner.opinions.queue import ASK_S, StreamQueue
from prequel.services.learner.opinions.similar import Image, similar
from prequel.services.learner.owned_partition import OwnedPartition
from prequel.services.learner.portable.leaving import portable_model
from prequel.services.learner.publishing.stream_commands import stream_commands
from prequel.services.learner.publishing.stream_status import stream_detail
from prequel.shared.log.base import Position
from prequel.shared.opinions import ExampleQueue, QueueRequest, SimilarExamples
from prequel.shared.queries import Answer, UnknownStream
from prequel.shared.status import StreamDetail, StreamHistory
from prequel.shared.vectors import Vector, check_vector


class StreamQueries:
    """Safe from any thread. The learner holds ``lock`` while the state changes: a query waits for one batch.

    ``signed`` is whether there is a key that pickled models can be signed with; ``clock`` gives seconds since any time.
    """

    def __init__(
        self,
        partitions: Mapping[int, OwnedPartition],
        lock: threading.Lock,
        *,
        signed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._partitions, self._lock, self._signed, self._clock = partitions, lock, signed, clock
        self._queue = StreamQueue(lock, clock)

    def answer(self, stream: str, features: Vector) -> Answer:
        """What the models predict now of a vector, float32 of shape [dim].

        Raises UnknownStream, and InvalidVector where the vector has another size or values out of bounds.
        """
        with self._lock:
            partition, state = self._find(stream)
            if not state.models:
                raise UnknownStream(stream)
            check_vector(features, state.dim)
            predictions = [
                calibrator.calibrate(own_predictions([model.predict(features)], state.class_numbers(model))[0])
                for model, calibrator in zip(state.models, state.calibrators, strict=True)
            ]
            champion = state.config.models[0]
            labels = state.labels_by_model([prediction.top_class for prediction in predictions])
            unknown = state.novelty.unknown(features, predictions[0])
            classes, size = label_set(predictions[0], state.sets.threshold())
            return Answer(
                stream=stream,
                position=str(partition.position),
                model=champion,
                label=None if unknown else labels[champion],
                probabilities=state.probabilities_by_label(predictions[0]),
                models=labels,
                unknown=unknown,
                set=state.names_of(classes),
                set_level=state.sets.level,
                set_size=size,
            )

    def detail(self, stream: str) -> StreamDetail:
        """The curve, the confusion matrices and all classes of a stream. Raises UnknownStream."""
        with self._lock:
            partition, state = self._find(stream)
            return stream_detail(state, partition.position)

    def history(self, stream: str) -> StreamHistory:
        """The commands of a stream, and how many labels who gave. Raises UnknownStream."""
        with self._lock:
            partition, state = self._find(stream)
            return StreamHistory(
                stream=stream,
                position=str(partition.position),
                commands=stream_commands(state.decisions),
                labels_by=state.labellers.counts(),
                labels_why=state.label_reasons.counts(),
            )

    def model_problem(self, stream: str, spec: str) -> str:
        """Why no model can be made from a spec here; empty where one can. Raises UnknownStream."""
        with self._lock:
            self._find(stream)
        try:
            check_spec(spec, signed=self._signed)
        except UnknownModel as problem:
            return str(problem)
        return ""

    def model_file(self, stream: str, spec: str) -> bytes:
        """One of the stream's models as it is now, as a file. Raises UnknownStream, ModelCannotLeave."""
        with self._lock:
            partition, state = self._find(stream)
            model = portable_model(state, str(partition.position), spec)
        return model.dump()

    def drop_old(self) -> None:
        """Forget what was said of streams that have changed since. Call it under the lock."""
        self._queue.drop_old()

    def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
        """What to look at next. Raises UnknownStream, LogUnavailable."""
        with self._lock:
            partition, state = self._find(stream)
            position = str(partition.position)
        return self._queue.answer(state, partition.fold.cache, position, request)

    def similar(self, stream: str, id: str, limit: int, position: str | None = None) -> SimilarExamples:
        """The nearest labelled examples of an image. Raises UnknownStream, UnknownExample, LogUnavailable."""
        with self._lock:
            partition, state = self._find(stream)
            answered_at = str(partition.position)
        image = Image(id, Position.parse(position) if position else None)
        budget = Budget(self._clock, self._clock() + ASK_S)
        return similar(state, partition.fold.cache, self._lock, answered_at, image, limit, budget)

    def _find(self, stream: str) -> tuple[OwnedPartition, StreamState]:
        for partition in self._partitions.values():
            if stream in partition.fold.streams:
                return partition, partition.fold.streams[stream]
        raise UnknownStream(stream)
