"""The fold of one stream without a log: examples in, each model's predictions out, and the state that remains."""

from collections.abc import Callable, Iterator, Sequence

from prequel.services.learner.fold.calibration.ranking import ServedRun
from prequel.services.learner.fold.config import FoldConfig
from prequel.services.learner.fold.correction import apply_label
from prequel.services.learner.fold.evaluation.comparisons import Comparisons
from prequel.services.learner.fold.join.new_example import FirstLabel, NewExample
from prequel.services.learner.fold.join.window import Window
from prequel.services.learner.fold.model_registry import ModelRegistry
from prequel.services.learner.fold.new_examples import predict_run
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.models.base import Model
from prequel.services.learner.replay.backtests.range_comparisons import RangeComparisons
from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.producer.delayed_labels import AUTHOR, WHY
from prequel.shared.events.types import Features, Label
from prequel.shared.features.base import RowInfo, Vectors
from prequel.shared.log.base import Position
from prequel.shared.vectors import Vector

STREAM = "evaluation"


class OfflineFold:
    """Does to a stream's state what the learner does with the events of a log; ``begin`` is the offset of the first.

    Events are numbered as in a log of one partition, and the time of an example is its number, in seconds. ``clock``
    tells how long each model took, and nothing else.
    """

    def __init__(
        self, config: FoldConfig, registry: ModelRegistry, *, backbone: str, clock: Callable[[], float], begin: int = 0
    ) -> None:
        self.state = StreamState(STREAM, config, registry)
        self.state.begun = self.offset = begin
        self.state.comparisons = self.comparisons = WholeComparisons(len(config.models) - 1)
        self.state.window = self._window = NotedWindow(config.window, len(config.models))
        self.models: TimedModels | None = None
        """None before the first example."""
        self._backbone, self._clock = backbone, clock

    def predict(self, infos: Sequence[RowInfo], xs: Vectors, *, learn: bool) -> list[list[ServedRun]]:
        """Predict examples of vectors ``xs`` float32 [n, dim], one event each; learn those with a label at once if
        ``learn``. What each model predicted, in runs of examples.

        Raises EvaluationError where the vectors have another length than those before, or models do not fit into
        memory.
        """
        self._check(xs.shape[1])
        predict_run(self.state, list(self._events(infos, xs, learn=learn)), xs)
        self.state.delays.clear()  # For a metric, which nobody reads here.
        return self._window.taken()

    def learn(self, info: RowInfo, x: Vector) -> None:
        """A label that comes as an event of its own, for an example that was predicted and had none."""
        event = Label(id=info.id, stream=STREAM, label=info.label, by=AUTHOR, time=self._now(), position=self._next())
        apply_label(self.state, event._replace(why=WHY), lambda position: x)
        self.state.delays.clear()

    def _events(self, infos: Sequence[RowInfo], xs: Vectors, *, learn: bool) -> Iterator[Features]:
        first = self.state.images
        for number, (info, x) in enumerate(zip(infos, xs, strict=True)):
            position = self._next()
            yield Features(
                id=info.id,
                stream=STREAM,
                label=info.label if learn else None,
                time=float(first + number),
                backbone=self._backbone,
                vector=x,
                image=position,
                position=position,
            )

    def _check(self, dim: int) -> None:
        state = self.state
        if self.models is None:
            try:
                state.begin(self._backbone, dim)
            except (MemoryError, ValueError) as error:
                raise EvaluationError(
                    f"the models {', '.join(state.config.models)} of {dim:,} features: {error}"
                ) from None
            state.models = self.models = TimedModels(state.models, self._clock)
        elif dim != state.dim:
            raise EvaluationError(
                f"there are features of {state.dim:,} values and of {dim:,}: all need the same number"
            )

    def _now(self) -> float:
        return float(self.state.images - 1)

    def _next(self) -> Position:
        self.offset += 1
        return Position(0, self.offset - 1)


class WholeComparisons(Comparisons):
    """Compares models as the fold does, and over all labels: ``whole``. Labels are not corrected here."""

    def __init__(self, challengers: int) -> None:
        super().__init__(challengers)
        self.whole = RangeComparisons(challengers)

    def score(self, index: int, truth: int, predicted: Sequence[int], *, mixed: bool) -> None:
        super().score(index, truth, predicted, mixed=mixed)
        self.whole.score(index, truth, predicted, mixed=mixed)


class NotedWindow(Window):
    """A window that notes what was predicted of the newest examples, until it is taken."""

    def __init__(self, size: int, models: int) -> None:
        super().__init__(size, models)
        self._noted = list[list[ServedRun]]()

    def extend(self, examples: Sequence[tuple[NewExample, FirstLabel]], predicted: Sequence[ServedRun]) -> None:
        super().extend(examples, predicted)
        self._noted.append(list(predicted))

    def taken(self) -> list[list[ServedRun]]:
        """By run of examples, what each model predicted; noted no more."""
        noted, self._noted = self._noted, []
        return noted


class TimedModels(list[Model]):
    """Models that know how long each was worked with, in seconds, by whoever went through all of them."""

    def __init__(self, models: Sequence[Model], clock: Callable[[], float]) -> None:
        super().__init__(models)
        self.seconds = [0.0] * len(models)
        self._clock = clock

    def __iter__(self) -> Iterator[Model]:
        for number in range(len(self)):
            began = self._clock()
            yield self[number]
            self.seconds[number] += self._clock() - began
