"""What decisions do to each other, one case each: names that come back, labels that wait, models taken back."""

from typing import Any

import numpy as np
import pytest

from prequel.services.learner.fold.decisions.class_names import ClassNames, Merging, Renaming
from prequel.services.learner.models import registry
from prequel.services.learner.models.capabilities import full_size_of, size_of
from prequel.services.learner.replay.hand_over import new_replay, replay_to
from prequel.services.learner.replay.stream_replay import StreamReplay
from prequel.services.learner.snapshots.retention_floor import floor_of
from tests.learner.life.history import Life
from tests.learner.life.plain import Plain
from tests.learner.life.test_equal import check

X = [1.0, 0.0, 0.0]


def life_of(*labels: str | None, **settings: Any) -> Life:
    """A stream of one image a label: ``i0``, ``i1`` and so on."""
    life = Life(**settings)
    for number, label in enumerate(labels):
        life.do("features", "s", f"i{number}", [number, 1.0, 0.0], label)
    return life


def names(life: Life) -> list[str]:
    state = life.fold.streams["s"]
    return state.names.names(state.labels)


def label_of(life: Life, id: str) -> str | None:
    state = life.fold.streams["s"]
    example = state.window.find(id)
    assert example is not None
    return state.name_of(example.label)


def rename(life: Life, old: str, new: str) -> str:
    return life.command("class.rename", **{"from": old, "to": new})


def merge(life: Life, old: str, new: str) -> str:
    return life.command("class.merge", **{"from": old, "to": new})


def test_a_merge_leaves_alone_the_class_that_is_called_what_the_other_was_called_first() -> None:
    changes: list[Renaming | Merging] = [Renaming("cat", "feline"), Renaming("dog", "cat"), Merging("cat", "bird")]
    after = ClassNames(changes)
    assert (after.label("feline"), after.label("cat"), after.name("dog")) == ("bird", "dog", "cat")


def test_a_rename_that_is_undone_has_never_been() -> None:
    """So a label that was given by the new name is of another class, as soon as a replay has made it so."""
    life = life_of("a", "b")
    rename(life, "a", "z")
    life.do("features", "s", "i2", X, "z")
    assert life.do("undo", "s", 0) == "applied"
    assert names(life) == ["a", "b"]
    assert label_of(life, "i2") == "a"
    assert life.catch_up() == "applied"
    assert label_of(life, "i2") == "z"
    check(life)


def test_a_rename_whose_name_is_taken_by_now_cannot_be_undone() -> None:
    life = life_of("a", "b")
    rename(life, "a", "z")
    rename(life, "b", "a")
    assert life.do("undo", "s", 1) == "refused another class has been called a since: rename the class instead"
    rename(life, "a", "y")
    assert rename(life, "z", "a") == "applied"
    assert names(life) == ["a", "y"]
    check(life)


def test_a_class_that_comes_back_is_one_with_the_class_that_has_its_name() -> None:
    life = life_of("a", "b", "a")
    life.command("class.delete", label="a")
    life.catch_up()
    assert rename(life, "b", "a") == "applied"
    assert life.do("undo", "s", 2) == "applied"
    life.catch_up()
    assert (names(life), label_of(life, "i0"), label_of(life, "i1")) == (["a"], "a", "a")
    check(life)


def test_a_name_that_a_label_waits_by_belongs_to_its_class() -> None:
    life = life_of("a", "b")
    life.do("label", "s", "later", "z")
    rename(life, "a", "z")
    life.do("features", "s", "later", X, None)
    life.catch_up()
    assert names(life) == ["z", "b"]
    check(life)


def test_the_name_of_a_class_that_is_being_merged_is_not_free_yet() -> None:
    life = life_of("a", "b", "c")
    merge(life, "a", "b")
    assert rename(life, "c", "a").startswith("refused class a becomes part of another one")
    life.catch_up()
    assert rename(life, "c", "a") == "applied"
    assert names(life) == ["b", "a"]


def test_a_rebuild_does_not_make_labels_come_earlier() -> None:
    life = life_of("a", "b")
    life.do("features", "s", "i2", X, None)
    life.do("features", "s", "i3", X, "b")
    life.do("label", "s", "i2", "b")
    life.do("label", "s", "i2", "a")
    life.command("models.rebuild")
    life.catch_up()
    example = life.fold.streams["s"].window.find("i2")
    assert example is not None
    assert (example.learned_after, label_of(life, "i2")) == (3, "a")
    check(life)


def test_a_label_that_was_given_again_before_its_image_survives_a_rebuild() -> None:
    life = life_of("a", "b")
    for label in ("b", None, "a"):
        life.do("label", "s", "later", label)
    life.command("models.rebuild")
    life.catch_up()
    life.do("features", "s", "later", X, None)
    assert label_of(life, "later") == "a"
    check(life)


def test_the_last_model_stays_where_the_promotion_of_another_one_is_taken_back() -> None:
    life = life_of("a", "b")
    life.command("models.promote", model="logistic")
    life.do("defaults", "", {"models": "nearest"})
    life.command("models.remove", model="nearest")
    assert life.do("undo", "s", 1) == "applied"
    life.catch_up()
    assert life.fold.streams["s"].config.models == ("nearest",)


class TooFar:
    """A replay that another process has made to the log's end, beyond the record where the fold is to take it over."""

    def __init__(self, replay: StreamReplay) -> None:
        self._replay = replay
        self.taken = False

    def take(self, stream: str, *, begun: int, given: int, begin: int, end: int) -> StreamReplay | None:
        self.taken = self._replay.position <= end
        return self._replay if self.taken else None


@pytest.mark.parametrize("more", [0, 3])
def test_a_replay_that_has_gone_on_is_not_handed_over_where_it_would_have_been(more: int) -> None:
    """As after a crash: the record stands in the log, and a new replay has folded what comes after it."""
    life = life_of("a", "b", "a")
    life.command("models.rebuild")
    stream, end = life.fold.streams["s"], len(life.log.records)
    for number in range(more):
        life.log.features(f"more{number}", X, "a")
    replay = new_replay(life.fold, stream, 0, begin=0, end=end)
    replay_to(life.fold, replay, end + more)
    del life.log.records[end:]
    too_far = TooFar(replay)
    life.fold.replays = too_far
    life.catch_up()
    assert (too_far.taken, life.fold.streams["s"].images) == (more == 0, 3)
    check(life)


@pytest.mark.parametrize(
    "spec", ["mix(ridge;width=8192, ridge;width=8191)", "l2|knn;window=1000000", "scale|ridge;width=8000"]
)
def test_a_model_that_would_grow_beyond_all_memory_is_refused(spec: str) -> None:
    life = life_of("a", "b", max_model_bytes=2**24)
    assert "would grow to" in life.command("models.add", model=spec)
    assert life.command("models.add", model="l2|knn;window=1000") == "applied"
    assert life.command("models.add", model="ridge;width=1000") == "applied"


def test_models_that_join_count_for_the_next_one() -> None:
    life = life_of("a", "b", max_model_bytes=2**20)
    assert life.command("models.add", model="ridge;width=400") == "applied"
    assert "PREQUEL_MAX_MODEL_BYTES" in life.command("models.add", model="ridge;width=401")


@pytest.mark.parametrize("spec", ["ridge;width=32", "mix(slda, ridge;width=32)", "l2|slda", "project:4|knn;window=50"])
def test_a_model_grows_to_the_size_that_it_tells(spec: str) -> None:
    model, random = registry.create(spec, 16, seed=0), np.random.default_rng(0)
    expected = full_size_of(model)
    model.fold(random.normal(size=(900, 16)).astype(np.float32), ["a", "b"] * 450)
    sample = 100_000  # The 256 rows that each of two keeps for calibration, and a few numbers for each class.
    assert expected <= size_of(model) <= expected + sample


@pytest.mark.parametrize("window", [3, 50])
def test_a_model_that_settings_bring_learns_what_the_streams_own_window_let_it(window: int) -> None:
    life = life_of(*"abcab")
    life.do("features", "s", "late", X, None)
    life.command("stream.set", window=window)
    for number in range(5, 14):
        life.do("features", "s", f"i{number}", [number % 3, 1.0, 0.0], "abc"[number % 3])
    life.do("label", "s", "late", "c")
    life.do("label", "s", "i11", "a")
    life.do("defaults", "", {"models": "nearest,logistic,ncm"})
    state = life.fold.streams["s"]
    plain = Plain(life, "s", state).fold().streams["s"]
    assert state.config.models == plain.config.models
    ncm, expected = (each.models[2].state().arrays["counts"].tolist() for each in (state, plain))
    assert ncm == expected


def test_where_the_beginning_is_gone_only_models_that_join_are_caught_up() -> None:
    life = life_of("a", "b", "a", "b", "c")
    life.log.begin = 2
    life.command("models.add", model="ncm")
    assert life.catch_up() == "applied"
    state = life.fold.streams["s"]
    assert (state.config.models, state.images, state.labelled) == (("nearest", "logistic", "ncm"), 5, 5)
    assert state.models[2].state().arrays["counts"].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("do", "arguments"),
    [
        ("class.merge", {"from": "log", "to": "b"}),
        ("class.delete", {"label": "log"}),
        ("models.rebuild", {}),
        ("example.forget", {"ids": ["i4"]}),
    ],
)
def test_where_the_beginning_is_gone_nothing_is_lost_unless_it_is_wanted(do: str, arguments: dict[str, Any]) -> None:
    life = life_of("log", "b", "log", "b", "c")
    life.log.begin = 2
    before = life.fold.streams["s"]
    assert life.command(do, **arguments) == "applied"
    assert life.catch_up().startswith("refused the replay begins at 2, and this stream began at 0")
    assert life.fold.streams["s"] is before
    life.command("models.rebuild", **{"from": "log"})
    assert life.catch_up() == "applied"
    assert life.fold.streams["s"].images <= 3


def test_what_a_command_says_beside_its_arguments_does_not_fill_the_history() -> None:
    life, much = life_of("a", "b"), ["x" * 5_000] * 50
    beside: dict[str, Any] = {"from": "a", "to": "c", "title": much, "digests": much}
    assert life.command("class.rename", **beside) == "applied"
    assert "at most 1000 characters" in life.command("models.add", model="scale|" * 400 + "ncm")
    (renamed, added) = life.fold.streams["s"].decisions
    assert sum(len(str(each.arguments)) for each in (renamed, added)) < 25_000


def test_what_a_waiting_stream_needs_of_the_log_begins_with_the_labels_that_waited_for_it() -> None:
    life = Life()
    life.do("label", "s", "i0", "a")
    life.do("features", "t", "i0", X, "a")
    life.do("features", "s", "i0", X, None)
    assert life.command("models.rebuild") == "applied"
    assert floor_of(life.fold.position, life.fold.streams).offset == 0
