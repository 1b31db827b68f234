"""The queue: opinions of the models now, ranked as asked, folded, paged; and nothing of it is in the state."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from prequel.services.learner.fold.join.new_example import UNLABELLED
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.queries import StreamQueries
from prequel.shared.log.base import Position
from prequel.shared.opinions import ExampleQueue, QueuedExample, QueueRequest, UnknownExample
from prequel.shared.queries import UnknownStream
from prequel.shared.random_sample import is_sampled, sample_digest
from prequel.shared.runtime.garbage_collection import collect_everything
from tests.learner.building import ExampleLog, new_fold
from tests.learner.models.suite import stream

DIM = 12
MODELS = "mix(slda, ncm),logistic,naive-bayes"


class Asked:
    """A stream of Gaussian classes, of which some examples have labels, and its queries."""

    def __init__(self, labelled: int, count: int, *, models: str = MODELS, seed: int = 0, **settings: Any) -> None:
        self.examples = ExampleLog()
        self.xs, self.labels = stream(count, DIM, 4, seed)
        for number, (x, label) in enumerate(zip(self.xs, self.labels, strict=True)):
            self.examples.features(f"i{number}", x.tolist(), label if number < labelled else None)
        self.fold = new_fold(self.examples, models=models, **settings)
        self.queries, self._folded = queries_of(self.fold), 0
        self.catch_up()

    def catch_up(self) -> None:
        self.fold.apply(self.examples.records[self._folded :])
        self._folded = len(self.examples.records)

    def label(self, number: int, label: str | None) -> None:
        self.examples.label(f"i{number}", label)
        self.catch_up()

    def queue(self, by: str, **more: Any) -> ExampleQueue:
        return self.queries.queue("s", QueueRequest.model_validate({"by": by, **more}))


def queries_of(fold: Fold, clock: Any = None) -> StreamQueries:
    partition = SimpleNamespace(fold=fold, position=Position(0, fold.position))
    more = {"clock": clock} if clock else {}
    return StreamQueries(cast(Any, {0: partition}), threading.Lock(), **more)


def ids(examples: Sequence[QueuedExample]) -> list[str]:
    return [example.id for example in examples]


def margin(probabilities: dict[str, float]) -> float:
    first, second = [*probabilities.values(), 0.0][:2]
    return first - second


@pytest.mark.parametrize("by", ["uncertain", "disagreement", "random", "suspect"])
def test_a_query_leaves_the_state_as_it_was(by: str) -> None:
    asked = Asked(60, 120)
    twin = Asked(60, 120)
    before = asked.fold.digest()
    asked.queue(by)
    assert asked.fold.digest() == before
    for each in (asked, twin):
        for number in range(60, 90):
            each.label(number, each.labels[number])
            if each is asked:
                asked.queue(by)
    assert asked.fold.digest() == twin.fold.digest(), "what was learned after a query is what is learned without one"


@pytest.mark.parametrize(
    "models", [MODELS, "slda", "ridge;width=48,knn", "logistic,mlp", "l2|ncm,river:naive_bayes.GaussianNB"]
)
def test_opinions_are_what_a_prediction_on_demand_says(models: str) -> None:
    asked = Asked(60, 100, models=models)
    queue = asked.queue("uncertain", limit=100)
    assert (queue.asked, queue.not_asked, len(queue.examples)) == (40, 0, 40)
    for example in queue.examples:
        answer = asked.queries.answer("s", asked.xs[int(example.id[1:])])
        assert example.opinion.label == answer.label
        assert example.opinion.models == answer.models
        best = dict(list(answer.probabilities.items())[:5])
        assert example.opinion.probabilities == pytest.approx(best, abs=1e-6)
        assert example.truth is None
    margins = [margin(example.opinion.probabilities) for example in queue.examples]
    assert margins == sorted(margins)


def test_beside_an_opinion_stands_the_prediction_of_the_time_which_stays() -> None:
    asked = Asked(4, 100)
    before = {example.id: example for example in asked.queue("uncertain", limit=100).examples}
    scored = asked.fold.streams["s"].scores.total
    for number in range(4, 40):
        asked.label(number, asked.labels[number])
    after = {example.id: example for example in asked.queue("uncertain", limit=100).examples}
    assert {id: each.prediction for id, each in after.items()} == {id: before[id].prediction for id in after}
    assert sum(each.opinion != before[id].opinion for id, each in after.items()) > 50
    assert asked.fold.streams["s"].scores.total == scored + 36


def test_images_from_before_the_first_label_get_an_opinion_with_it() -> None:
    asked = Asked(0, 20)
    first = asked.queue("uncertain")
    assert first.asked == 20
    assert all(example.opinion.label is None and not example.opinion.probabilities for example in first.examples)
    assert len(asked.queue("uncertain", predicted="").examples) == len(first.examples)
    asked.label(0, "cat")
    second = asked.queue("uncertain")
    assert {example.opinion.label for example in second.examples} == {"cat"}
    assert {example.prediction.label for example in second.examples} == {None}
    assert asked.queue("uncertain", predicted="").examples == []


def promoted_from_now(by: str = "uncertain") -> tuple[Asked, ExampleQueue]:
    """A stream whose champion has just been added from now on, and its queue before."""
    asked = Asked(40, 100, models="slda")
    before = asked.queue(by, limit=100)
    asked.examples.command("c1", "models.add", model="ncm", **{"from": "now"})
    asked.examples.command("c2", "models.promote", model="ncm")
    asked.catch_up()
    assert asked.fold.streams["s"].config.models == ("ncm", "slda")
    return asked, before


@pytest.mark.parametrize("by", ["uncertain", "suspect"])
def test_before_a_new_champion_has_learned_a_label_another_model_says_what_it_thinks(by: str) -> None:
    asked, before = promoted_from_now(by)
    after = asked.queue(by, limit=100)
    assert (after.model, after.asked, ids(after.examples)) == ("slda", before.asked, ids(before.examples))
    for old, new in zip(before.examples, after.examples, strict=True):
        assert new.opinion.label == old.opinion.label is not None
        assert new.opinion.probabilities == old.opinion.probabilities
        assert new.opinion.models == {"ncm": None, "slda": old.opinion.models["slda"]}
    assert asked.queue(by, predicted="").examples == []
    assert asked.queue("disagreement").examples == [], "who knows nothing does not disagree"


def test_a_new_champion_has_an_opinion_of_every_image_with_its_first_label() -> None:
    asked, _ = promoted_from_now()
    asked.label(40, "cat")
    queue = asked.queue("uncertain", limit=100)
    assert (queue.model, queue.asked, queue.not_asked) == ("ncm", 59, 0)
    assert {example.opinion.label for example in queue.examples} == {"cat"}


def test_of_an_image_before_the_champion_stands_what_the_first_other_model_predicted_of_it() -> None:
    asked, before = promoted_from_now()
    predicted = {example.id: example.prediction for example in before.examples}
    asked.examples.features("new", asked.xs[0].tolist())
    asked.catch_up()
    for example in asked.queue("uncertain", limit=100).examples:
        if example.id == "new":
            assert example.prediction.label is None, "the champion was there, and knew no class"
        else:
            assert example.prediction.label == predicted[example.id].label is not None
            assert example.prediction.probabilities == predicted[example.id].probabilities
    asked.examples.command("c3", "models.remove", model="slda")
    asked.catch_up()
    assert {example.prediction.label for example in asked.queue("uncertain").examples} == {None}


def test_an_answer_is_remembered_until_a_label_changes_the_models() -> None:
    asked = Asked(60, 120)
    state, calls = asked.fold.streams["s"], list[int]()
    predict_many = state.models[0].predict_many  # type: ignore[attr-defined]

    def counted(xs: Any) -> Any:
        calls.append(len(xs))
        return predict_many(xs)

    state.models[0].predict_many = counted  # type: ignore[attr-defined]
    first = asked.queue("uncertain")
    assert sum(calls) == 60
    assert asked.queue("uncertain") == first
    assert sum(calls) == 60, "nobody was asked twice"
    asked.examples.features("new", asked.xs[0].tolist())
    asked.catch_up()
    assert asked.queue("uncertain").asked == 61
    assert sum(calls) == 61, "only the new one was asked"
    asked.label(7, "class 3")
    asked.queue("uncertain")
    assert sum(calls) == 122, "a correction changes what is said of all"
    asked.label(7, None)
    asked.queue("uncertain")
    assert sum(calls) == 184, "and a retraction, after which there is one more to ask"


def test_disagreement_lists_what_models_call_differently() -> None:
    asked = Asked(30, 130)
    queue = asked.queue("disagreement", limit=100)
    listed = {example.id for example in queue.examples}
    assert 3 < len(listed) < 100
    for number in range(30, 130):
        labels = set(asked.queries.answer("s", asked.xs[number]).models.values())
        assert (f"i{number}" in listed) == (len(labels) > 1)
    assert Asked(30, 60, models="slda").queue("disagreement").examples == [], "one model agrees with itself"


def test_at_random_is_the_order_of_the_random_sample() -> None:
    asked = Asked(20, 220)
    positions = {f"i{number}": f"0:{number}" for number in range(20, 220)}
    drawn = ids(asked.queue("random", limit=200).examples)
    assert drawn == sorted(positions, key=lambda id: sample_digest(positions[id]))
    sampled = {id for id, position in positions.items() if is_sampled(sample_digest(position))}
    assert set(drawn[: len(sampled)]) == sampled
    assert set(ids(asked.queue("uncertain", sample=True, limit=200).examples)) == sampled
    assert set(ids(asked.queue("uncertain", sample=False, limit=200).examples)) == set(positions) - sampled


def test_filters_are_by_what_is_said_now() -> None:
    asked = Asked(60, 160)
    everything = asked.queue("uncertain", limit=200).examples
    for label in ("class 0", "class 1", "class 2", "class 3"):
        listed = asked.queue("uncertain", predicted=label, limit=200)
        assert ids(listed.examples) == [each.id for each in everything if each.opinion.label == label]
    assert asked.queue("uncertain", predicted="nothing like it").examples == []


# Suspects.


def wrong(labels: Sequence[str], every: int) -> list[str]:
    return [f"class {(number * 5 + 1) % 4}" if number % every == 0 else label for number, label in enumerate(labels)]


@pytest.mark.parametrize("models", ["ncm", "naive-bayes", "slda", "ridge;width=48", "mix(slda, ncm)"])
def test_suspects_are_what_the_model_would_deny_if_it_had_not_learned_them(models: str) -> None:
    asked = Asked(0, 200, models=models)
    labels = wrong(asked.labels, 8)
    for number, label in enumerate(labels):
        asked.examples.label(f"i{number}", label)
    asked.catch_up()
    queue = asked.queue("suspect", limit=200)
    assert queue.exact
    assert queue.asked == 200
    listed = {example.id for example in queue.examples} | {id for each in queue.examples for id in each.duplicates}
    for number in [*range(0, 200, 40), *range(5, 200, 60)]:  # most of the first were labelled wrongly
        assert (f"i{number}" in listed) == (refit_without(models, asked.xs, labels, number) != labels[number]), number
    planted = [number for number in range(0, 200, 8) if labels[number] != asked.labels[number]]
    assert sum(f"i{number}" in listed for number in planted) > 0.7 * len(planted)
    for example in queue.examples:
        assert example.truth == labels[int(example.id[1:])] != example.opinion.label


def refit_without(spec: str, xs: Any, labels: list[str], left_out: int) -> str:
    """What the model says that has learned all the others, in their order, and has just been solved."""
    from tests.learner.models.test_leave_one_out import taught

    others = [number for number in range(len(xs)) if number != left_out]
    model = taught(spec, xs[others], [labels[number] for number in others])
    return model.labels[int(model.predict(xs[left_out]).argmax())]


def test_a_suspect_that_is_corrected_is_one_no_more() -> None:
    asked = Asked(0, 200, models="slda")
    labels = wrong(asked.labels, 20)
    for number, label in enumerate(labels):
        asked.examples.label(f"i{number}", label)
    asked.catch_up()
    for _ in range(3):
        worst = asked.queue("suspect", limit=1).examples[0]
        assert worst.opinion.label is not None
        asked.label(int(worst.id[1:]), worst.opinion.label)
        assert worst.id not in ids(asked.queue("suspect", limit=200).examples)
    only = asked.queue("suspect", truth="class 2", limit=200).examples
    assert {example.truth for example in only} <= {"class 2"}


def test_a_champion_that_cannot_leave_out_says_so_and_lists_what_it_denies_though_it_learned_it() -> None:
    asked = Asked(0, 200, models="logistic")
    labels = wrong(asked.labels, 8)
    for number, label in enumerate(labels):
        asked.examples.label(f"i{number}", label)
    asked.catch_up()
    queue = asked.queue("suspect", limit=200)
    assert not queue.exact
    said = [asked.queries.answer("s", x).label for x in asked.xs]
    assert {example.id for example in queue.examples} == {
        f"i{number}" for number, label in enumerate(labels) if said[number] != label
    }


def test_the_only_example_of_a_class_is_no_suspect() -> None:
    asked = Asked(100, 101, models="slda")
    asked.label(100, "only")
    assert "i100" not in ids(asked.queue("suspect", limit=200).examples)


# Near duplicates, pages.


def test_nearly_equal_images_are_folded_together() -> None:
    asked = Asked(60, 100)
    random = np.random.default_rng(0)
    for copy in range(5):
        noisy = asked.xs[70] + 0.01 * random.normal(size=DIM)
        asked.examples.features(f"copy-{copy}", noisy.tolist())
    asked.catch_up()
    queue = asked.queue("uncertain", limit=200)
    alike = {"i70", *(f"copy-{copy}" for copy in range(5))}
    (group,) = [example for example in queue.examples if example.duplicates]
    assert {group.id, *group.duplicates} == alike
    assert group.duplicate_count == 5
    assert len(queue.examples) == 40
    first = [example for example in queue.examples if example.id in alike]
    assert first == [group], "the one that comes first stands for them"


@pytest.mark.parametrize("by", ["uncertain", "disagreement", "random", "suspect"])
def test_pages_are_one_list(by: str) -> None:
    asked = Asked(90, 190, models="ncm,logistic")
    for copy in range(3):
        asked.examples.features(f"copy-{copy}", (asked.xs[120 + copy] + 0.001).tolist())
    asked.catch_up()
    for number in range(0, 90, 7):
        asked.label(number, f"class {number % 4}")
    everything = asked.queue(by, limit=200)
    assert everything.next is None
    pages, after = list[QueuedExample](), None
    while True:
        page = asked.queue(by, limit=7, after=after)
        pages += page.examples
        after = page.next
        if after is None:
            break
        assert len(page.examples) == 7
    assert pages == everything.examples
    assert len(pages) > 7


def test_a_page_after_a_label_goes_on_behind_the_same_place() -> None:
    asked = Asked(60, 160)
    first = asked.queue("random", limit=20)
    rest = ids(asked.queue("random", limit=200, after=first.next).examples)
    for example in first.examples[:5]:
        asked.label(int(example.id[1:]), "class 1")
    assert ids(asked.queue("random", limit=200, after=first.next).examples) == rest


# What is not in memory.


def test_features_that_are_not_in_memory_are_read_from_the_log() -> None:
    whole, short = Asked(60, 100), Asked(60, 100)
    restored = new_fold(short.examples, models=MODELS)
    restored.apply(short.examples.records)
    for number in range(100):
        restored.cache.remove(Position(0, number))
    assert queries_of(restored).queue("s", QueueRequest(by="uncertain")).examples == whole.queue("uncertain").examples


def test_what_has_no_room_in_memory_is_not_asked_and_counted() -> None:
    asked = Asked(60, 100)
    fold = new_fold(asked.examples, cached=25, models=MODELS)
    fold.apply(asked.examples.records)
    queue = queries_of(fold).queue("s", QueueRequest(by="uncertain", limit=100))
    assert (queue.asked, queue.not_asked) == (25, 15)
    assert set(ids(queue.examples)) == {f"i{number}" for number in range(75, 100)}, "the newest"


def test_time_that_is_up_ends_the_asking_and_the_next_query_goes_on() -> None:
    asked, now = Asked(60, 160), [0.0]

    def clock() -> float:
        now[0] += 0.3
        return now[0]

    queries = queries_of(asked.fold, clock)
    first = queries.queue("s", QueueRequest(by="uncertain"))
    assert 0 < first.asked < 100
    assert first.asked + first.not_asked == 100
    assert queries.queue("s", QueueRequest(by="uncertain")).asked > first.asked


def test_what_retention_has_removed_is_not_asked_about() -> None:
    asked = Asked(60, 100)
    asked.examples.begin = 80
    queue = asked.queue("uncertain", limit=200)
    assert set(ids(queue.examples)) == {f"i{number}" for number in range(80, 100)}
    assert queue.not_asked == 0


@pytest.mark.parametrize("by", ["uncertain", "disagreement", "random", "suspect"])
def test_a_stream_without_images_has_an_empty_queue(by: str) -> None:
    asked = Asked(0, 0)
    asked.examples.command("c", "stream.create")
    asked.catch_up()
    queue = asked.queue(by)
    assert (queue.examples, queue.asked, queue.not_asked, queue.next) == ([], 0, 0, None)


def test_no_stream_has_no_queue() -> None:
    with pytest.raises(UnknownStream):
        Asked(1, 2).queries.queue("t", QueueRequest(by="random"))


def test_queries_while_the_fold_goes_on_see_whole_states() -> None:
    asked = Asked(60, 600)
    partition = next(iter(asked.queries._partitions.values()))
    lock, stop, problems = asked.queries._lock, threading.Event(), list[BaseException]()

    def ask() -> None:
        try:
            while not stop.is_set():
                for by in ("uncertain", "disagreement", "suspect"):
                    queue = asked.queue(by, limit=20)
                    assert queue.asked + queue.not_asked <= 600
        except BaseException as error:
            problems.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    for number in range(60, 300):
        record = asked.examples.label(f"i{number}", asked.labels[number])
        with lock:
            partition.fold.apply([record])
    stop.set()
    thread.join()
    assert problems == []
    twin = new_fold(asked.examples, models=MODELS)
    twin.apply(asked.examples.records)
    assert twin.digest() == asked.fold.digest()


# Near examples.


def test_the_nearest_labelled_examples_with_who_labelled_them() -> None:
    asked = Asked(50, 100, models="ncm")
    for number in range(50, 60):
        asked.examples.label(f"i{number}", asked.labels[number], by="anna")
    asked.catch_up()
    answer = asked.queries.similar("s", "i80", 8)
    distances = np.linalg.norm(asked.xs[:60] - asked.xs[80], axis=1)
    nearest = np.argsort(distances, kind="stable")[:8]
    assert [example.id for example in answer.examples] == [f"i{number}" for number in nearest]
    assert [example.distance for example in answer.examples] == pytest.approx(distances[nearest].tolist(), rel=1e-5)
    assert [example.label for example in answer.examples] == [asked.labels[number] for number in nearest]
    assert {example.by for example in asked.queries.similar("s", "i80", 60).examples} == {"producer", "anna"}
    assert (answer.asked, answer.not_asked) == (60, 0)
    random = np.linalg.norm(asked.xs[:50] - asked.xs[50:], axis=1)
    assert answer.typical_distance == pytest.approx(float(np.sqrt((random**2).mean())), rel=0.15)
    own = asked.queries.similar("s", "i7", 3)
    assert "i7" not in [example.id for example in own.examples], "not itself"


def test_near_examples_are_the_nearest_of_many_however_long_their_vectors_are() -> None:
    asked = Asked(0, 1)
    lengths = np.random.default_rng(3).uniform(0.1, 10.0, 300)
    xs = np.random.default_rng(4).standard_normal((300, DIM)) * lengths[:, None]
    for number, x in enumerate(xs):
        asked.examples.features(f"n{number}", x.tolist(), "some")
    asked.catch_up()
    nearest = np.argsort(np.linalg.norm(xs[1:] - xs[0], axis=1), kind="stable")[:5] + 1
    assert [example.id for example in asked.queries.similar("s", "n0", 5).examples] == [f"n{at}" for at in nearest]


def test_a_correction_shows_in_near_examples_at_once() -> None:
    asked = Asked(50, 100, models="ncm")
    nearest = asked.queries.similar("s", "i80", 1).examples[0]
    asked.examples.label(nearest.id, "another", by="bob")
    asked.catch_up()
    now = asked.queries.similar("s", "i80", 1).examples[0]
    assert (now.id, now.label, now.by) == (nearest.id, "another", "bob")
    asked.label(int(nearest.id[1:]), None)
    assert asked.queries.similar("s", "i80", 1).examples[0].id != nearest.id
    assert asked.fold.streams["s"].window.column("label").tolist().count(UNLABELLED) == 51


def test_near_examples_of_what_is_not_there() -> None:
    asked = Asked(50, 100, models="ncm", window=40)
    with pytest.raises(UnknownExample, match="i3 is not among"):
        asked.queries.similar("s", "i3", 5)
    asked.label(70, "class 1")
    assert [example.id for example in asked.queries.similar("s", "i3", 5, "0:3").examples] == ["i70"], "from the log"
    asked.label(70, None)
    asked.examples.begin = 10
    asked.fold.cache.remove(Position(0, 3))
    with pytest.raises(UnknownExample, match="the log has the features"):
        asked.queries.similar("s", "i3", 5, "0:3")
    with pytest.raises(UnknownStream):
        asked.queries.similar("t", "i3", 5)
    assert asked.queries.similar("s", "i99", 5).examples == [], "none in the window has a label"


def test_what_was_said_of_a_stream_that_changed_or_ended_does_not_stay_in_memory() -> None:
    asked = Asked(60, 100)
    asked.queue("suspect")
    remembered = asked.queries._queue._memory._streams
    asked.queries.drop_old()
    assert list(remembered) == ["s"]
    asked.label(70, "class 1")
    asked.queries.drop_old()
    assert list(remembered) == []
    asked.queue("suspect")
    asked.examples.delete("d1")
    asked.catch_up()
    collect_everything()
    asked.queries.drop_old()
    assert list(remembered) == []
