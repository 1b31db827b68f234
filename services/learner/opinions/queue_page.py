"""One page of a queue: examples in its order, nearly equal ones folded together, with all that is known of them."""

from collections.abc import Sequence

import numpy as np

from prequel.services.learner.fold.join.new_example import UNLABELLED
from prequel.services.learner.fold.join.window_example import WindowExample
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.opinions.duplicates import Folding, Group
from prequel.services.learner.opinions.orders import Ranked
from prequel.services.learner.opinions.scene import Scene
from prequel.services.learner.opinions.served import Served
from prequel.services.learner.opinions.window_rows import vectors
from prequel.shared.events.headers import timestamp
from prequel.shared.opinions import Opinion, QueuedExample, QueueRequest

SHOWN = 5
"""Probabilities of an opinion, the largest: what a person reads beside an image."""
MAX_IDS = 100
"""Ids of folded images in an answer: of a camera that stands still there are thousands."""


class QueuePage:
    """The examples of ``ranked``, of all of which ``spoken`` has what the speaker says."""

    def __init__(self, scene: Scene, ranked: Ranked, spoken: Served) -> None:
        self._scene, self._ranked, self._spoken = scene, ranked, spoken
        self._rows = scene.rows.chosen(np.searchsorted(scene.rows.sequences, ranked.sequences))
        self._groups: list[Group] = []
        self._xs, self._said = np.zeros((0, scene.blocks.dim), np.float32), list[Served]()
        self.next: str | None = None
        """The ``after`` of the next page; None where this is the last."""

    def take(self, request: QueueRequest) -> "QueuePage":
        """Choose the examples of the page, and ask the other models about them."""
        begin = self._begin(request.after)
        folding = Folding(self._rows, self._scene.blocks, self._rows.labels)
        folding.take_through(begin, request.limit + 1)
        groups = [group for group in folding.groups if group.first >= begin]
        self._groups = groups[: request.limit]
        if len(groups) > request.limit:
            last = self._groups[-1].first
            self.next = f"{self._ranked.ranks[last]}:{self._ranked.sequences[last]}"
        firsts = self._rows.chosen(np.array([group.first for group in self._groups], np.int64))
        self._xs, _ = vectors(firsts, self._scene.blocks)
        askings = self._scene.askings if self._groups else []
        others = [asking for number, asking in enumerate(askings) if number != self._scene.speaker]
        self._said = [asking.say(firsts.sequences, self._xs) for asking in others]
        return self

    def examples(self) -> list[QueuedExample]:
        """As they are answered, without those that have left the window meanwhile. Call it under the lock."""
        found = [self._example(row, group) for row, group in enumerate(self._groups)]
        return [example for example in found if example is not None]

    def _begin(self, after: str | None) -> int:
        if after is None:
            return 0
        rank, _, sequence = after.partition(":")
        return self._ranked.after(int(rank), int(sequence))

    def _example(self, row: int, group: Group) -> QueuedExample | None:
        state, sequence = self._scene.state, int(self._ranked.sequences[group.first])
        found = state.window.at(sequence)
        if found is None:
            return None
        id, example = found
        return QueuedExample(
            id=id,
            position=str(example.position),
            at=timestamp(example.time),
            truth=state.name_of(example.label) if example.label != UNLABELLED else None,
            opinion=self._opinion(row, sequence),
            prediction=past_opinion(state, example),
            duplicates=self._ids(group.others[:MAX_IDS]),
            duplicate_count=len(group.others),
        )

    def _opinion(self, row: int, sequence: int) -> Opinion:
        state, speaker = self._scene.state, self._scene.speaker
        predictions = [said.prediction(row) for said in self._said]
        predictions.insert(speaker, self._spoken.at(np.array([sequence])).prediction(0))
        unknown = state.novelty.unknown(self._xs[row], predictions[speaker])
        return _opinion(state, predictions, speaker, unknown=unknown)

    def _ids(self, places: Sequence[int]) -> list[str]:
        found = (self._scene.state.window.at(int(self._ranked.sequences[place])) for place in places)
        return [each[0] for each in found if each is not None]


def past_opinion(state: StreamState, example: WindowExample) -> Opinion:
    """What the models that the stream has now said when the example came: its champion, or, where that was added
    later, the first that was there."""
    there = (number for number, prediction in enumerate(example.predictions) if prediction.known >= 0)
    return _opinion(state, example.predictions, next(there, 0), unknown=example.unknown)


def _opinion(state: StreamState, predictions: Sequence[ModelPrediction], speaker: int, *, unknown: bool) -> Opinion:
    """``predictions`` are of all models; ``speaker`` is the one whose opinion it is."""
    spoken = predictions[speaker]
    return Opinion(
        label=None if unknown else state.name_of(spoken.top_class),
        probabilities=dict(list(state.probabilities_by_label(spoken).items())[:SHOWN]),
        models=state.labels_by_model([prediction.top_class for prediction in predictions]),
        unknown=unknown,
    )
