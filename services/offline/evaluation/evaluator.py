"""An evaluation: examples predicted and learned one after the other, then those held out predicted."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.examples import Examples
from prequel.services.offline.evaluation.held_out import HeldOutScores
from prequel.services.offline.evaluation.holdout import Division, divide
from prequel.services.offline.evaluation.mistakes import WorstMistakes, mistakes_of
from prequel.services.offline.evaluation.offline_fold import OfflineFold
from prequel.services.offline.evaluation.options import Options, check_options
from prequel.services.offline.evaluation.orders import Ordered, ordered
from prequel.services.offline.evaluation.read_ahead import ReadAhead
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.evaluation.results import prequential_result, reports
from prequel.services.offline.evaluation.schedule import Predicted, Schedule
from prequel.services.producer.errors import Stopped
from prequel.shared.backtests import BacktestResult
from prequel.shared.features.base import FeatureRows, RowInfo


class Watcher(Protocol):
    """Sees what was predicted, in its order, and how far the evaluation is."""

    def predicted(self, predicted: Predicted, names: Sequence[str], *, held_out: bool) -> None:
        """Some examples were predicted; ``names`` are those of the classes. Raises EvaluationError."""
        ...


class Tools(NamedTuple):
    """What an evaluation needs besides its examples: ``late_bytes`` is how much memory vectors may take that wait for
    their labels; ``clock`` is in seconds from any start; ``stop`` ends it after the batch in progress."""

    registry: ModelRegistry
    late_bytes: int
    clock: Callable[[], float]
    stop: threading.Event


class Evaluator:
    """One evaluation. Raises WrongOptions and EvaluationError where it cannot be made.

    ``division`` and ``order`` say what it is made of; ``evaluation`` is there whenever somebody asks: after ``run`` was
    stopped, that of what it has done.
    """

    def __init__(self, examples: Examples, options: Options, config: FoldConfig, tools: Tools) -> None:
        check_options(options, config.window)
        self._examples, self._options, self._config, self._tools = examples, options, config, tools
        self.infos = examples.infos()
        _check_labels(self.infos, examples.origin.source)
        self.division: Division = divide(self.infos, options.holdout, options.seed)
        origin = examples.origin
        self.order: Ordered = ordered(
            self.infos, self.division.learned, options, stored_order=origin.order, times=examples.times
        )
        self.reading = ReadAhead(tools.clock)
        self.fold = OfflineFold(config, tools.registry, backbone=origin.backbone, clock=tools.clock)
        self.stopped = False
        self.held_out: HeldOutScores | None = None
        self._mistakes, self._held_out_mistakes = mistakes_of(config.models), mistakes_of(config.models)

    @property
    def total(self) -> int:
        """Examples that are predicted in all."""
        return len(self.infos)

    @property
    def done(self) -> int:
        """Examples that were predicted so far."""
        return self.fold.state.images + (self.held_out.images if self.held_out else 0)

    def run(self, watcher: Watcher) -> None:
        """Predict and learn all, or until it is stopped. Raises EvaluationError, FeatureFileError, and Stopped where it
        was stopped before anything was predicted."""
        schedule: Schedule | None = None
        for rows in self._read(self.order.numbers):
            schedule = schedule or self._schedule(rows.vectors.shape[1])
            for predicted in schedule.apply(rows):
                self._look_at(predicted, self._truths(predicted), self.fold.state.class_names, self._mistakes)
                watcher.predicted(predicted, self.fold.state.class_names, held_out=False)
        if schedule is None:
            if self._tools.stop.is_set():
                raise Stopped("stopped before the first example")
            raise EvaluationError(f"{self._examples.origin.source}: not one example could be read")
        schedule.finish()
        if self.division.held_out and not self.stopped:
            self._predict_held_out(watcher)

    def evaluation(self) -> Evaluation:
        """What was found so far. To be asked before ``fold`` is used any further."""
        state, origin, options = self.fold.state, self._examples.origin, self._options
        prequential = prequential_result(self.fold)
        return Evaluation(
            source=origin.source,
            folder=origin.folder,
            backbone=origin.backbone,
            dim=state.dim,
            order=self.order.kind,
            seed=options.seed,
            label_delay=options.label_delay,
            mini_batch=options.mini_batch,
            models=list(self._config.models),
            prequential=prequential,
            reports=reports(state),
            held_out=self.held_out.result(options.holdout or "") if self.held_out else None,
            mistakes=[mistake for worst in self._mistakes for mistake in worst.worst()],
            held_out_mistakes=[mistake for worst in self._held_out_mistakes for mistake in worst.worst()],
            notes=self._notes(prequential),
        )

    def _read(self, numbers: Sequence[int]) -> Iterator[FeatureRows]:
        """Until all are read, or it is stopped."""
        with closing(self._examples.rows(numbers)) as rows, closing(self.reading.items(rows)) as ahead:
            for batch in ahead:
                yield batch
                if self._tools.stop.is_set():
                    break
        self.stopped = self._tools.stop.is_set() and self.done < self.total

    def _schedule(self, dim: int) -> Schedule:
        """Raises EvaluationError where vectors that wait for their labels take too much memory."""
        delay, mini_batch = self._options.label_delay, self._options.mini_batch
        waiting = (delay + mini_batch) * 4 * dim
        if waiting <= self._tools.late_bytes or not (delay or mini_batch > 1):
            return Schedule(self.fold, delay=delay, mini_batch=mini_batch)
        if not self._examples.repeatable:
            raise EvaluationError(
                f"{delay + mini_batch:,} vectors that wait for their labels take {waiting:,} bytes, more than "
                "PREQUEL_CACHE_BYTES: make a file of the features first (`prequel extract`), or set that higher"
            )
        again = self._examples.rows(self.order.numbers)
        return Schedule(self.fold, delay=delay, mini_batch=mini_batch, again=again)

    def _predict_held_out(self, watcher: Watcher) -> None:
        scores = self.held_out = HeldOutScores(self.fold.state)
        for rows in self._read(self.division.held_out):
            predicted = scores.predict(rows)
            self._look_at(predicted, scores.truths(predicted), scores.names, self._held_out_mistakes)
            watcher.predicted(predicted, scores.names, held_out=True)

    def _truths(self, predicted: Predicted) -> npt.NDArray[np.int64]:
        classes = self.fold.state.classes
        return np.array([-1 if info.label is None else classes.get(info.label, -1) for info in predicted.infos])

    def _look_at(
        self,
        predicted: Predicted,
        truths: npt.NDArray[np.int64],
        names: Sequence[str],
        mistakes: Sequence[WorstMistakes],
    ) -> None:
        for worst in mistakes:
            worst.look_at(predicted, truths, names)

    @property
    def plan(self) -> list[str]:
        """Sentences on what will be done: the first ones of the notes."""
        return [self.order.line, *self.division.notes]

    def _notes(self, prequential: BacktestResult) -> list[str]:
        notes = [*self.plan, *self._examples.notes()]
        if prequential.labelled and not any(status.scored for status in prequential.models.values()):
            notes.append(
                "no prediction was scored: each was made before the first label came; lower --label-delay or "
                "--mini-batch, or give more examples"
            )
        if self.stopped:
            notes.append(f"stopped after {self.done:,} of {self.total:,} examples")
        state = self.fold.state
        unlabelled = sum(self.infos[number].label is None for number in self.order.numbers)
        if unlabelled:
            notes.append(f"{unlabelled:,} examples have no label: predicted, but neither scored nor learned")
        if rejected := state.statuses.get("rejected", 0):
            notes.append(
                f"{rejected:,} labels are of more classes than {state.config.max_labels:,} (PREQUEL_MAX_LABELS)"
            )
        if self.held_out and (unknown := self.held_out.never_learned):
            notes.append(f"{unknown:,} examples held out are of classes that were never learned: they count as wrong")
        return notes


def _check_labels(infos: Sequence[RowInfo], source: str) -> None:
    """Raises EvaluationError where there is nothing to score by."""
    if not infos:
        raise EvaluationError(f"{source} has no examples")
    if not any(info.label is not None for info in infos):
        raise EvaluationError(
            f"{source} has no labels, so there is nothing to learn or to score by: folders named after classes "
            "give images their labels, or --labels, for a file of features when it is extracted"
        )
