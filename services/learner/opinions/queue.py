"""The queue: what to look at next, by the models as they are now, without a trace in the state."""

import threading
from collections.abc import Callable

from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.opinions.asking import Budget, read_back
from prequel.services.learner.opinions.memory import OpinionMemory
from prequel.services.learner.opinions.orders import Ranked, at_random, disagreement, suspect, uncertain
from prequel.services.learner.opinions.queue_page import QueuePage
from prequel.services.learner.opinions.scene import Scene, read_scene
from prequel.services.learner.opinions.served import Served
from prequel.services.learner.opinions.window_rows import in_memory
from prequel.shared.opinions import ExampleQueue, QueueRequest

ASK_S = 1.0
"""For how long models are asked for one answer, each: 100,000 examples by most models, 3,000 by `knn`, a hundred by
some of River's. The gateway waits for QUERY_S, four times as long; what was said is remembered, so that the next answer
goes on from there."""


class StreamQueue:
    """Answers ``shared.opinions.QueueRequest``. Safe from any thread; ``clock`` in seconds, from any point in time."""

    def __init__(self, lock: threading.Lock, clock: Callable[[], float]) -> None:
        self._lock, self._clock, self._memory = lock, clock, OpinionMemory()
        self._turn = threading.Lock()
        """Held by the one query that works: the next finds what it has been told."""

    def drop_old(self) -> None:
        """Forget what was said of streams that have changed since. Call it under the learner's lock."""
        self._memory.drop_old()

    def answer(self, state: StreamState, cache: FeatureCache, position: str, request: QueueRequest) -> ExampleQueue:
        """Blocks while features are read from the log. Raises LogUnavailable."""
        with self._turn:
            budget = Budget(self._clock, self._clock() + ASK_S)
            scene = read_scene(state, cache, self._memory, self._lock, request)
            if read_back(cache, scene.rows, self._lock, budget):
                scene = read_scene(state, cache, self._memory, self._lock, request)
            ranked, said = _ranked(scene, request, budget)
            page = QueuePage(scene, ranked, said).take(request)
            asked = len(said.sequences)
            with self._lock:
                return ExampleQueue(
                    stream=state.name,
                    position=position,
                    by=request.by,
                    model=state.config.models[scene.speaker],
                    exact=request.by != "suspect" or scene.leaves_out,
                    examples=page.examples(),
                    asked=asked,
                    not_asked=len(scene.rows.sequences) - asked,
                    next=page.next,
                )


def _ranked(scene: Scene, request: QueueRequest, budget: Budget) -> tuple[Ranked, Served]:
    """The order, and what the speaker says of all that it was asked."""
    asked = scene.ask(scene.speaker, scene.rows.chosen(in_memory(scene.rows)), budget)
    if scene.leaves_out:
        asked = scene.leave_out(asked, budget)
    said = asked if request.predicted is None else asked.chosen(scene.predicted(asked, request.predicted))
    if request.by == "uncertain":
        return uncertain(said), asked
    rows = scene.rows_of(said)
    if request.by == "suspect":
        return suspect(said, rows.labels, scene.names), asked
    if request.by == "random":
        return at_random(rows), asked
    others = [scene.ask(number, rows, budget) for number in scene.others]
    for other in others:
        said = said.chosen(other.holds(said.sequences))
    return disagreement(said, [other.at(said.sequences) for other in others], scene.names), said
