"""Another backbone: after a switch a stream is as if its images had been extracted with that one from the beginning."""

from typing import Any

import numpy as np
import pytest

from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.fold.stream import StreamState
from prequel.services.learner.publishing.stream_status import stream_detail, stream_status
from prequel.services.learner.replay.hand_over import new_replay, replay_to
from prequel.shared.events.features import REEXTRACTED, encode_features
from prequel.shared.events.types import Applied, Image
from prequel.shared.log.base import Position, Record
from prequel.shared.vectors import Vector
from tests.learner.building import ExampleLog, new_fold
from tests.learner.test_fold import cut, stored_and_read

OTHER = "other-avg-32-0badcafe"
CLASSES = "abc"
SETTINGS: dict[str, Any] = {"models": "slda,logistic"}
NOT_COMPARED = {"position", "updated_at", "settings"}


class Pictures:
    """Images by number, and their vectors: three values by the stream's own backbone, five by the other one."""

    def __init__(self, log: ExampleLog) -> None:
        self.log = log

    def own(self, number: int, label: str | None = None) -> Record:
        return self._append(number, self._of(number)[0], "test-3", label)

    def other(self, number: int, label: str | None = None, *, again: bool = True) -> Record:
        return self._append(number, self._of(number)[1], OTHER, label, again=again)

    def _of(self, number: int) -> tuple[Vector, Vector]:
        """By the number alone, in whatever order they are asked for."""
        random = np.random.default_rng(number)
        return tuple((random.normal(size=dim) + number % 3).astype(np.float32) for dim in (3, 5))  # type: ignore[return-value]

    def _append(self, number: int, vector: Vector, backbone: str, label: str | None, *, again: bool = False) -> Record:
        image = Image(f"i{number}", "s", label, 1_000.0 + number, b"", Position(0, number))
        return self.log.append(
            encode_features(image, vector, backbone, source="test", extra=(REEXTRACTED,) if again else ())
        )


def lived(backbone: str, images: int = 30) -> Pictures:
    """A stream that learns from one backbone: labels with images, later ones, corrections and retractions."""
    pictures = Pictures(ExampleLog())
    for number in range(images):
        label = CLASSES[number % 3] if number % 2 else None
        if backbone == OTHER:
            pictures.other(number, label, again=False)
        else:
            pictures.own(number, label)
        if number > 4 and number % 2 == 0:
            pictures.log.label(f"i{number - 2}", CLASSES[(number - 2) % 3])
        if number % 7 == 6:
            pictures.log.label(f"i{number - 1}", None if number == 13 else CLASSES[number % 3])
    return pictures


def folded(log: ExampleLog, **settings: Any) -> Fold:
    fold = new_fold(log, **(SETTINGS | settings))
    fold.apply(log.records)
    return fold


def command(fold: Fold, log: ExampleLog, do: str, **arguments: Any) -> tuple[str, str]:
    """Give a command: what became of it, and why."""
    result = fold.apply([log.command(f"c{len(log.records)}", do, **arguments)])
    (applied,) = [output.event for output in result.outputs if isinstance(output.event, Applied)]
    return applied.status, applied.why


def hand_over(fold: Fold, log: ExampleLog) -> StreamState:
    given = fold.streams["s"].decisions.given
    assert (
        command(fold, log, "stream.catch-up", given=given, settings=len(fold.history), begin=log.begin)[0] == "applied"
    )
    return fold.streams["s"]


def learned(state: StreamState) -> tuple[Any, ...]:
    """All that a stream knows by its examples: models, metrics and what is published, but no place in a log."""
    at = Position(0, 0)
    status = stream_status(state, at, now=0.0, snapshot=None, address=None).model_dump(exclude=NOT_COMPARED)
    models = [model.state() for model in state.models]
    arrays = [{name: array.tobytes() for name, array in model.arrays.items()} for model in models]
    return status | {"other_features": {}}, stream_detail(state, at).model_dump(), [m.meta for m in models], arrays


def switched(**settings: Any) -> tuple[Fold, Pictures]:
    pictures = lived("test-3")
    for number in range(30):
        pictures.other(number, CLASSES[number % 3] if number % 2 else None)
    fold = folded(pictures.log, **settings)
    assert command(fold, pictures.log, "stream.switch", backbone="other") == ("applied", "")
    return fold, pictures


def test_a_switched_stream_is_one_that_had_the_backbone_from_the_beginning() -> None:
    fold, pictures = switched()
    state = hand_over(fold, pictures.log)
    assert state.other_features == {"test-3": (3, 30)}
    assert learned(state) == learned(folded(lived(OTHER).log).streams["s"])
    assert folded(pictures.log).digest() == fold.digest() == stored_and_read(fold).digest()


def test_undo_goes_back_to_the_first_backbone_with_all_that_came_since() -> None:
    fold, pictures = switched()
    hand_over(fold, pictures.log)
    fold.apply([pictures.other(30, "a", again=False), pictures.own(30, "a"), pictures.log.label("i2", "b")])
    switch = next(entry for entry in fold.streams["s"].decisions if entry.do == "stream.switch")
    assert command(fold, pictures.log, "undo", command=switch.id) == ("applied", "")
    state = hand_over(fold, pictures.log)
    never = lived("test-3")
    never.own(30, "a")
    never.log.label("i2", "b")
    assert learned(state) == learned(folded(never.log).streams["s"])
    assert folded(pictures.log).digest() == fold.digest()


@pytest.mark.parametrize("size", [1, 3, 1_000])
def test_images_that_come_between_switch_and_hand_over_are_learned_with_their_labels(size: int) -> None:
    fold, pictures = switched()
    late = [pictures.own(30, "a"), pictures.own(31), pictures.log.label("i31", "b")]
    again = [pictures.other(30, "a"), pictures.other(31)]
    for records in cut([*late, *again], [size] * 5):
        fold.apply(records)
    after = learned(hand_over(fold, pictures.log))
    reference = lived(OTHER)
    reference.other(30, "a", again=False)
    reference.other(31, again=False)
    reference.log.label("i31", "b")
    expected = folded(reference.log).streams["s"]
    status, *rest = learned(expected)
    assert after[0]["images"] == 32
    # The label of i31 waited for its features here.
    assert after[0]["statuses"].pop("waiting") == 1
    assert after[0] | {"statuses": {}} == status | {"statuses": {}}
    assert after[3] == rest[2]


def test_undo_says_how_the_images_that_came_meanwhile_get_features_of_the_backbone_before() -> None:
    fold, pictures = switched()
    switch = next(entry for entry in fold.streams["s"].decisions if entry.do == "stream.switch")
    assert switch.arguments == {"backbone": OTHER, "from": "test-3"}
    hand_over(fold, pictures.log)
    fold.apply([pictures.other(number, again=False) for number in (30, 31)])
    again = stored_and_read(fold)
    undo = pictures.log.command("back", "undo", command=switch.id)
    for each in (fold, again):
        (applied,) = [output.event for output in each.apply([undo]).outputs if isinstance(output.event, Applied)]
        assert applied.advice == (
            f"at least 2 images that came while it learned from {OTHER} have no features of test-3 and are left out: "
            "prequel reextract s --backbone test-3 makes them"
        )
    assert fold.digest() == again.digest()


def test_undo_of_a_switch_that_was_not_handed_over_needs_nothing_more() -> None:
    fold, pictures = switched()
    switch = next(entry for entry in fold.streams["s"].decisions if entry.do == "stream.switch")
    result = fold.apply([pictures.log.command("back", "undo", command=switch.id)])
    (applied,) = [output.event for output in result.outputs if isinstance(output.event, Applied)]
    assert (applied.status, applied.advice) == ("applied", "")


def test_images_older_than_the_ids_that_are_remembered_are_learned_once() -> None:
    fold, pictures = switched(window=5, duplicates=5)
    state = hand_over(fold, pictures.log)
    assert state.images == 30
    assert learned(state) == learned(folded(lived(OTHER).log, window=5, duplicates=5).streams["s"])


def test_an_image_that_is_extracted_once_more_changes_nothing() -> None:
    fold, pictures = switched()
    hand_over(fold, pictures.log)
    before = learned(fold.streams["s"])
    image = Image("i3", "s", None, 1_003.0, b"", Position(0, 3))
    vector = np.full(5, 9, np.float32)
    fold.apply([pictures.log.append(encode_features(image, vector, OTHER, source="test", extra=(REEXTRACTED,)))])
    command(fold, pictures.log, "models.rebuild")
    hand_over(fold, pictures.log)
    log = lived(OTHER).log
    reference = folded(log)
    assert command(reference, log, "models.rebuild")[0] == "applied"
    assert learned(fold.streams["s"]) == learned(hand_over(reference, log)) != before


def test_an_image_that_was_sent_again_after_it_was_forgotten_has_its_own_features() -> None:
    pictures = Pictures(ExampleLog())
    pictures.own(5, "c")
    pictures.other(5, "c")
    pictures.log.command("forget", "example.forget", ids=["i5"], images={"0": 50})
    image = Image("i5", "s", "c", 2_000.0, b"", Position(0, 100))
    for dim, backbone, extra in ((3, "test-3", ()), (5, OTHER, (REEXTRACTED,))):
        pictures.log.append(encode_features(image, np.full(dim, 7, np.float32), backbone, source="test", extra=extra))
    fold = folded(pictures.log, models="nearest")
    assert command(fold, pictures.log, "stream.switch", backbone=OTHER) == ("applied", "")
    state = hand_over(fold, pictures.log)
    assert state.images == 1
    assert state.models[0].state().arrays["sums"].tolist() == [[7, 7, 7, 7, 7, 1]]


@pytest.mark.parametrize(
    ("backbone", "why"),
    [
        (None, "field backbone must be the name or the id of a backbone"),
        ("test", "the stream learns from test-3 already"),
        ("resnet50", "the log has no features of backbone resnet50 for this stream: prequel reextract s"),
        ("other", "other is the beginning of several: name one of other-avg-32-0badcafe, other-avg-64-0badcafe"),
    ],
)
def test_what_cannot_be_switched_to_is_refused_and_nothing_changes(backbone: str | None, why: str) -> None:
    pictures = lived("test-3")
    pictures.other(0)
    image = Image("i1", "s", None, 1_000.0, b"", Position(0, 1))
    vector = np.zeros(6, np.float32)
    pictures.log.append(encode_features(image, vector, "other-avg-64-0badcafe", source="t", extra=(REEXTRACTED,)))
    fold = folded(pictures.log)
    before = learned(fold.streams["s"])
    status, reason = command(fold, pictures.log, "stream.switch", **({"backbone": backbone} if backbone else {}))
    assert (status, reason.startswith(why)) == ("refused", True), reason
    assert learned(fold.streams["s"]) == before
    assert not fold.streams["s"].decisions.pending


def test_a_command_that_is_refused_does_not_change_what_a_replay_reads() -> None:
    """The replay that another process has begun, and one that the fold makes by itself, are the same."""
    fold, pictures = switched()
    begun = new_replay(fold, fold.streams["s"], 0, begin=0, end=len(pictures.log.records))
    fold.apply([pictures.own(30, "a"), pictures.own(31, "b"), pictures.other(31, "b"), pictures.other(30, "a")])
    assert command(fold, pictures.log, "models.remove", model="none-such")[0] == "refused"
    itself = new_replay(fold, fold.streams["s"], 0, begin=0, end=len(pictures.log.records))
    for replay in (begun, itself):
        replay_to(fold, replay, len(pictures.log.records))
    assert list(begun.begun_state().window.rows()) == list(itself.begun_state().window.rows())
    assert learned(begun.begun_state()) == learned(itself.begun_state())
