"""The view: newest predictions with their present truth, bounded, whatever is replayed in whatever order."""

import sys
from itertools import chain
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from prequel.services.gateway.view.predictions import Entry, View, margin
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Outcome, Prediction
from prequel.shared.log.base import Position
from tests.gateway.conftest import PNG
from tests.gateway.echo_learner import predicted


def taken(view: View, event: Prediction | Outcome) -> None:
    if isinstance(event, Prediction):
        view.predicted(event, encode_prediction(event, source="test").value)
    else:
        view.decided(event)


def image(id: str, offset: int, truth: str | None = None, stream: str = "pets", data: bytes = PNG) -> Prediction:
    return predicted(stream, id, Position(0, offset), data, truth)


def label(id: str, offset: int, label: str | None, status: str = "learned") -> Outcome:
    return Outcome(id, "pets", Position(0, offset), status, label, None, "cat", True, 0.0)


def truth(view: View, id: str) -> str | None:
    entry = view.get("pets", id)
    assert entry
    return entry.truth


def ids(view: View, stream: str = "pets") -> list[str]:
    return [str(entry.json()["id"]) for entry in view.newest(stream)]


def test_the_truth_follows_the_labels() -> None:
    view = View(10, 40)
    taken(view, image("a", 0))
    for event, expected in (
        (label("a", 1, "cat"), "cat"),
        (label("a", 2, "dog", "corrected"), "dog"),
        (label("a", 3, "dog", "unchanged"), "dog"),
        (label("a", 4, None, "retracted"), None),
        (label("a", 5, "cat"), "cat"),
        (label("a", 6, "dog", "expired"), "cat"),
        (label("a", 7, "dog", "rejected"), "cat"),
        (label("a", 8, "dog", "waiting"), "cat"),
    ):
        taken(view, event)
        assert truth(view, "a") == expected


def test_a_label_that_came_with_the_image_is_overruled_by_later_ones_only() -> None:
    view = View(10, 40)
    taken(view, image("a", 5, truth="cat"))
    taken(view, label("a", 3, "dog"))
    assert truth(view, "a") == "cat"
    taken(view, label("a", 6, "dog", "corrected"))
    assert truth(view, "a") == "dog"


def test_a_label_for_nothing_here_changes_nothing() -> None:
    view = View(10, 40)
    taken(view, label("a", 1, "cat"))
    assert len(view) == 0


def test_the_oldest_go_first() -> None:
    view = View(3, 12)
    for offset, id in enumerate("abcde"):
        taken(view, image(id, offset))
    assert (ids(view), len(view)) == (["e", "d", "c"], 3)


def test_with_many_streams_the_largest_gives_way() -> None:
    view = View(4, 8)
    for offset in range(40):
        stream = "quiet" if offset < 2 else f"busy-{offset % 3}"
        taken(view, image(f"n{offset}", offset, stream=stream))
        assert len(view) <= 8
    assert ids(view, "quiet") == ["n1", "n0"]


def test_the_same_id_again_is_a_new_prediction() -> None:
    view = View(3, 12)
    for offset, id in enumerate(("a", "b", "a")):
        taken(view, image(id, offset))
    assert (ids(view), len(view)) == (["a", "b"], 2)


def test_what_other_models_say_of_the_same_image_takes_its_place() -> None:
    view = View(3, 12)
    for event in (image("a", 0), image("b", 1), label("a", 2, "dog")):
        taken(view, event)
    other = image("a", 0)._replace(model="other", label="bird", probabilities={"bird": 0.75, "cat": 0.25})
    taken(view, other)
    entry = view.get("pets", "a")
    assert entry
    assert (entry.json()["model"], entry.label, entry.truth, entry.margin) == ("other", "bird", "dog", 0.5)
    assert (ids(view), len(view)) == (["b", "a"], 2)


def test_margins() -> None:
    assert margin(image("a", 0, data=b"=cat@0.75")) == 0.5
    one = image("a", 0)._replace(probabilities={"cat": 1.0})
    assert (margin(one), margin(one._replace(probabilities={}))) == (1.0, 0.0)


def test_an_entry_is_small() -> None:
    value = encode_prediction(image("a" * 32, 0), source="test").value
    view = View(10, 10)
    entry = view.predicted(image("a" * 32, 0), value)
    assert sys.getsizeof(entry) + sys.getsizeof(entry.value) < 700


class Step(NamedTuple):
    """One record of a partition of examples, and how far back a crash of the learner goes after it."""

    id: str
    label: str | None
    image: bool
    back: int


steps = st.lists(
    st.builds(
        Step, st.sampled_from("abcdef"), st.sampled_from(["cat", "dog", None]), st.booleans(), st.integers(0, 12)
    ),
    max_size=40,
)


def events(history: list[Step]) -> list[list[Prediction | Outcome]]:
    """What a learner says at each step: an id is predicted once; a label that came before the image waits for it."""
    seen: set[str] = set()
    waiting: dict[str, Outcome] = {}
    said: list[list[Prediction | Outcome]] = []
    for offset, step in enumerate(history):
        if step.image and step.id not in seen:
            seen.add(step.id)
            early = waiting.get(step.id)
            said.append([image(step.id, offset, truth=early.label if early else step.label)])
            said[-1] += [early._replace(status="learned")] if early else []
        elif step.id in seen:
            said.append([label(step.id, offset, step.label, "retracted" if step.label is None else "learned")])
        else:
            waiting[step.id] = label(step.id, offset, step.label or "cat", "waiting")
            said.append([waiting[step.id]])
    return said


def snapshot(view: View) -> list[Entry]:
    return view.newest("pets")


@given(steps, st.integers(1, 6))
def test_replays_change_nothing(history: list[Step], size: int) -> None:
    once, replayed = View(size, 4 * size), View(size, 4 * size)
    said = events(history)
    for event in chain(*said):
        taken(once, event)
    for end, step in enumerate(history, 1):
        for event in said[end - 1]:
            taken(replayed, event)
        before = snapshot(replayed)
        for event in chain(*said[max(0, end - step.back) : end]):
            taken(replayed, event)
            assert snapshot(replayed) == before
    assert snapshot(replayed) == snapshot(once)
    assert len(replayed) == len(once) == len(snapshot(once))
