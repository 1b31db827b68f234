"""The gallery: the newest predictions with their present truth, bounded, whatever is replayed in whatever order."""

import sys
from itertools import chain
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from prequel.services.gateway.view.gallery import Gallery, GalleryRow, margin
from prequel.shared.events.predictions import encode_prediction
from prequel.shared.events.types import Outcome, Prediction
from prequel.shared.log.base import Position
from tests.gateway.conftest import PNG
from tests.gateway.echo_learner import predicted


def apply(gallery: Gallery, event: Prediction | Outcome) -> None:
    if isinstance(event, Prediction):
        gallery.add(event, encode_prediction(event, source="test").value)
    else:
        gallery.apply_outcome(event)


def image(id: str, offset: int, truth: str | None = None, stream: str = "pets", data: bytes = PNG) -> Prediction:
    return predicted(stream, id, Position(0, offset), data, truth)


def label(id: str, offset: int, label: str | None, status: str = "learned") -> Outcome:
    return Outcome(id, "pets", Position(0, offset), status, label, None, "cat", True, 0.0)


def truth(gallery: Gallery, id: str) -> str | None:
    row = gallery.get("pets", id)
    assert row
    return row.truth


def ids(gallery: Gallery, stream: str = "pets") -> list[str]:
    return [str(row.json()["id"]) for row in gallery.newest(stream)]


def test_the_truth_follows_the_labels() -> None:
    gallery = Gallery(10, 40)
    apply(gallery, image("a", 0))
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
        apply(gallery, event)
        assert truth(gallery, "a") == expected


def test_a_prediction_is_told_with_what_its_classes_are_called_now() -> None:
    gallery = Gallery(10, 40)
    apply(gallery, image("a", 0, truth="other", data=PNG + b"=cat@0.7"))
    (row,) = gallery.newest("pets")
    now = row.renamed({"cat": "feline", "dog": "hound"})
    assert (now.label, now.truth, now.models()) == ("feline", "other", {"echo": "feline", "contrary": "hound"})
    assert now.json()["probabilities"] == {"feline": 0.7, "other": 1 - 0.7}
    merged = row.renamed({"cat": "other"}).json()
    assert (merged["label"], merged["truth"], merged["probabilities"]) == ("other", "other", {"other": 1.0})
    assert row.renamed({}).json() == row.json()


def test_a_label_that_came_with_the_image_is_overruled_by_later_ones_only() -> None:
    gallery = Gallery(10, 40)
    apply(gallery, image("a", 5, truth="cat"))
    apply(gallery, label("a", 3, "dog"))
    assert truth(gallery, "a") == "cat"
    apply(gallery, label("a", 6, "dog", "corrected"))
    assert truth(gallery, "a") == "dog"


def test_a_label_of_an_unknown_image_changes_nothing() -> None:
    gallery = Gallery(10, 40)
    apply(gallery, label("a", 1, "cat"))
    assert len(gallery) == 0


def test_the_oldest_are_evicted_first() -> None:
    gallery = Gallery(3, 12)
    for offset, id in enumerate("abcde"):
        apply(gallery, image(id, offset))
    assert (ids(gallery), len(gallery)) == (["e", "d", "c"], 3)


def test_with_many_streams_the_largest_loses_its_oldest() -> None:
    gallery = Gallery(4, 8)
    for offset in range(40):
        stream = "quiet" if offset < 2 else f"busy-{offset % 3}"
        apply(gallery, image(f"n{offset}", offset, stream=stream))
        assert len(gallery) <= 8
    assert ids(gallery, "quiet") == ["n1", "n0"]


def test_the_same_id_again_is_a_new_prediction() -> None:
    gallery = Gallery(3, 12)
    for offset, id in enumerate(("a", "b", "a")):
        apply(gallery, image(id, offset))
    assert (ids(gallery), len(gallery)) == (["a", "b"], 2)


def test_a_prediction_of_the_same_image_by_other_models_replaces_it() -> None:
    gallery = Gallery(3, 12)
    for event in (image("a", 0), image("b", 1), label("a", 2, "dog")):
        apply(gallery, event)
    other = image("a", 0)._replace(model="other", label="bird", probabilities={"bird": 0.75, "cat": 0.25})
    apply(gallery, other)
    row = gallery.get("pets", "a")
    assert row
    assert (row.json()["model"], row.label, row.truth, row.margin) == ("other", "bird", "dog", 0.5)
    assert (ids(gallery), len(gallery)) == (["b", "a"], 2)


def test_margins() -> None:
    assert margin(image("a", 0, data=b"=cat@0.75")) == 0.5
    one = image("a", 0)._replace(probabilities={"cat": 1.0})
    assert (margin(one), margin(one._replace(probabilities={}))) == (1.0, 0.0)


def test_a_row_is_small() -> None:
    value = encode_prediction(image("a" * 32, 0), source="test").value
    gallery = Gallery(10, 10)
    row = gallery.add(image("a" * 32, 0), value)
    assert sys.getsizeof(row) + sys.getsizeof(row.value) < 700


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
    """What a learner publishes: an id is predicted once; a label that came before the image waits for it."""
    seen: set[str] = set()
    waiting: dict[str, Outcome] = {}
    records: list[list[Prediction | Outcome]] = []
    for offset, step in enumerate(history):
        if step.image and step.id not in seen:
            seen.add(step.id)
            early = waiting.get(step.id)
            records.append([image(step.id, offset, truth=early.label if early else step.label)])
            records[-1] += [early._replace(status="learned")] if early else []
        elif step.id in seen:
            records.append([label(step.id, offset, step.label, "retracted" if step.label is None else "learned")])
        else:
            waiting[step.id] = label(step.id, offset, step.label or "cat", "waiting")
            records.append([waiting[step.id]])
    return records


def snapshot(gallery: Gallery) -> list[GalleryRow]:
    return gallery.newest("pets")


@given(steps, st.integers(1, 6))
def test_replays_change_nothing(history: list[Step], size: int) -> None:
    once, replayed = Gallery(size, 4 * size), Gallery(size, 4 * size)
    records = events(history)
    for event in chain(*records):
        apply(once, event)
    for end, step in enumerate(history, 1):
        for event in records[end - 1]:
            apply(replayed, event)
        before = snapshot(replayed)
        for event in chain(*records[max(0, end - step.back) : end]):
            apply(replayed, event)
            assert snapshot(replayed) == before
    assert snapshot(replayed) == snapshot(once)
    assert len(replayed) == len(once) == len(snapshot(once))
