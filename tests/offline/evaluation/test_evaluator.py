"""Evaluations of feature files: orders, what is held out, late labels, copies, an interruption, what is refused."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from prequel.services.offline.evaluation.errors import EvaluationError, WrongOptions
from prequel.services.offline.evaluation.file_examples import FileExamples
from prequel.services.offline.evaluation.files import as_json
from prequel.services.offline.evaluation.options import Options
from prequel.services.offline.evaluation.schedule import Predicted
from prequel.shared.features.base import FeatureRows, RowInfo
from prequel.shared.features.opening import open_features
from tests.offline.evaluation.building import Noted, evaluator, example_rows, write_rows

COUNT = 200


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("features") / "pets.npz", example_rows(COUNT))


def by_class(rows: FeatureRows) -> FeatureRows:
    order = sorted(range(len(rows.infos)), key=lambda number: rows.infos[number].name)
    return FeatureRows([rows.infos[number] for number in order], rows.vectors[order])


def ids(path: Path, options: Options) -> list[str]:
    noted = Noted()
    evaluator(path, options, "nearest").run(noted)
    return [id for id, _, _ in noted.labels]


@pytest.mark.parametrize("order", [None, "as-is"])
def test_mixed_classes_are_taken_as_they_lie(path: Path, order: str | None) -> None:
    assert ids(path, Options(order)) == [f"e{number}" for number in range(COUNT)]


def test_classes_in_blocks_are_shuffled_by_the_seed_and_that_is_said(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", by_class(example_rows(COUNT)))
    work = evaluator(path)
    assert (work.order.kind, "blocks" in work.plan[0]) == ("shuffled", True)
    first, again, other = (ids(path, Options(seed=seed)) for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(first) == sorted(other) == sorted(f"e{number}" for number in range(COUNT))


def test_a_file_that_extract_has_shuffled_is_left_so_even_where_classes_lie_in_blocks(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", by_class(example_rows(COUNT)), order="shuffle:7")
    work = evaluator(path)
    assert (work.order.kind, "seed 7" in work.plan[0]) == ("as-is", True)


def test_by_class_takes_class_after_class_those_without_a_label_last(path: Path) -> None:
    rows = example_rows(COUNT)
    labels = {info.id: info.label for info in rows.infos}
    found = [labels[id] or "z" for id in ids(path, Options("by-class"))]
    assert found == sorted(found)


def test_by_time_needs_to_know_where_the_images_are(path: Path, tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="does not say where its images are"):
        evaluator(path, Options("by-time"))
    gone = write_rows(tmp_path / "pets.npz", example_rows(20), folder=str(tmp_path / "gone"))
    with pytest.raises(EvaluationError, match=r"20 images are not in .*gone any more, for example c"):
        evaluator(gone, Options("by-time"))


def test_what_is_held_out_is_predicted_at_the_end_and_never_learned(path: Path) -> None:
    rows, noted = example_rows(COUNT), Noted()
    work = evaluator(path, Options(holdout="test"), "nearest,logistic")
    work.run(noted)
    found = work.evaluation()
    assert [held_out for _, _, held_out in noted.labels] == [False] * 160 + [True] * 40
    assert noted.firsts[-1] == 160
    assert (found.prequential.images, found.prequential.labelled) == (160, 144)
    alone = evaluator(write_rows(path.with_name("alone.npz"), FeatureRows(rows.infos[:160], rows.vectors[:160])))
    alone.run(Noted())
    assert alone.evaluation().prequential == found.prequential
    assert found.held_out is not None
    assert (found.held_out.split, found.held_out.images, found.held_out.scored) == ("test", 40, 36)
    assert any("4 of the 40 examples held out have no label" in note for note in found.notes)
    truths = [info.label for info in rows.infos[160:]]
    for number, model in enumerate(found.models):
        predicted = [labels[number] for _, labels, _ in noted.labels[160:]]
        right = sum(one == other for one, other in zip(truths, predicted, strict=True))
        assert found.held_out.models[model].accuracy == right / 36
        assert sum(map(sum, found.held_out.models[model].confusion.rows)) == 36


def test_the_reports_are_scikit_learns_own(path: Path) -> None:
    from sklearn.metrics import classification_report, cohen_kappa_score

    rows, noted = example_rows(COUNT), Noted()
    work = evaluator(path, Options(holdout="test"), "nearest")
    work.run(noted)
    found = work.evaluation()
    pairs = [(info.label, labels[0]) for info, (_, labels, _) in zip(rows.infos, noted.labels, strict=True)]
    assert found.held_out is not None
    for some, report, kappa in (
        (pairs[:160], found.reports["nearest"], found.prequential.models["nearest"].kappa),
        (pairs[160:], found.held_out.models["nearest"].report, found.held_out.models["nearest"].kappa),
    ):
        truths, predicted = zip(*((truth, label) for truth, label in some if truth and label), strict=True)
        assert report == classification_report(truths, predicted)
        assert kappa == pytest.approx(cohen_kappa_score(truths, predicted))


def test_a_share_is_drawn_of_each_class_by_the_seed(path: Path) -> None:
    infos = example_rows(COUNT).infos
    chosen = [evaluator(path, Options(holdout="0.25", seed=seed)).division.held_out for seed in (3, 3, 4)]
    assert list(chosen[0]) == list(chosen[1]) != list(chosen[2])
    for label in ("c0", "c1", "c2"):
        there = sum(info.label == label for info in infos)
        assert sum(infos[number].label == label for number in chosen[0]) == round(there / 4)
    assert all(infos[number].label is not None for number in chosen[0])


def test_a_split_that_is_usually_held_out_is_proposed(path: Path) -> None:
    assert evaluator(path).plan[1:] == [
        "40 examples are of the split test, and are learned too: --holdout test keeps them out"
    ]


def test_classes_that_were_never_learned_count_as_wrong_and_are_said(tmp_path: Path) -> None:
    rows = example_rows(60)
    infos = [info._replace(label="new") if info.split == "test" else info for info in rows.infos]
    work = evaluator(write_rows(tmp_path / "pets.npz", FeatureRows(infos, rows.vectors)), Options(holdout="test"))
    work.run(Noted())
    found = work.evaluation()
    assert found.held_out is not None
    assert found.held_out.models["nearest"].accuracy == 0
    assert "12 examples held out are of classes that were never learned: they count as wrong" in found.notes
    assert not any("no prediction was scored" in note for note in found.notes)


@pytest.mark.parametrize("options", [Options(label_delay=60), Options(mini_batch=60)])
def test_where_labels_come_too_late_to_score_anything_it_is_said(tmp_path: Path, options: Options) -> None:
    work = evaluator(write_rows(tmp_path / "pets.npz", example_rows(60)), options)
    work.run(Noted())
    assert work.evaluation().prequential.models["nearest"].accuracy is None
    assert any("no prediction was scored" in note for note in work.evaluation().notes)


@pytest.mark.parametrize("options", [Options(), Options(label_delay=30, mini_batch=8, holdout="0.2", order="shuffled")])
def test_equal_options_give_equal_bytes_whatever_vectors_are_kept(path: Path, options: Options) -> None:
    texts = list[str]()
    for late_bytes in (2**20, 0, 2**20):
        work = evaluator(path, options, late_bytes=late_bytes)
        work.run(Noted())
        texts.append(as_json(work.evaluation()))
    assert texts[0] == texts[1] == texts[2]
    assert '"labelled": 1' in texts[0]


def test_copies_are_counted_once_and_said(tmp_path: Path) -> None:
    rows = example_rows(40)
    copies = [*rows.infos[:4], rows.infos[4]._replace(label="c9")]
    doubled = FeatureRows([*rows.infos, *copies], np.concatenate([rows.vectors, rows.vectors[:5]]))
    work = evaluator(write_rows(tmp_path / "pets.npz", doubled))
    work.run(Noted())
    found = work.evaluation()
    assert found.prequential.images == 40
    assert "c9" not in found.prequential.models["nearest"].classes
    assert (
        "5 examples are copies of others (the same id), and counted once, 1 of them under another label" in found.notes
    )


def test_the_worst_mistakes_are_those_it_was_most_sure_of(path: Path) -> None:
    work = evaluator(path, models="logistic")
    seen = list[tuple[float, int]]()

    class Watcher:
        def predicted(self, predicted: Predicted, names: Sequence[str], *, held_out: bool) -> None:
            for at, info in enumerate(predicted.infos):
                top, known = predicted.runs[0].top_classes()[at], int(predicted.runs[0].ranking.known[at])
                if info.label and top >= 0 and names[top] != info.label and names.index(info.label) < known:
                    seen.append((float(predicted.runs[0].served[at, 0]), predicted.first + at))

    work.run(Watcher())
    worst = work.evaluation().mistakes
    expected = sorted(seen, key=lambda pair: -pair[0])[:24]
    assert len(expected) == 24
    assert [mistake.probability for mistake in worst] == [round(sure, 6) for sure, _ in expected]
    assert {mistake.row for mistake in worst} == {row for _, row in expected}
    assert all(mistake.name.startswith(mistake.truth) and mistake.predicted != mistake.truth for mistake in worst)


def test_stopped_it_says_what_is_known_so_far(tmp_path: Path) -> None:
    path, stop = write_rows(tmp_path / "pets.npz", example_rows(1_300)), threading.Event()
    work = evaluator(path, Options(holdout="test"), "nearest", stop=stop)

    class Stopping(Noted):
        def predicted(self, predicted: Predicted, names: Sequence[str], *, held_out: bool) -> None:
            stop.set()

    work.run(Stopping())
    found = work.evaluation()
    assert (work.stopped, found.held_out, found.prequential.images) == (True, None, 512)
    assert "stopped after 512 of 1,300 examples" in found.notes
    assert found.prequential.models["nearest"].accuracy is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options("sorted"), "--order sorted is unknown: use one of shuffled, as-is"),
        (Options(holdout="tset"), "--holdout tset is no split: the splits here are test, train; or give a share"),
        (Options(holdout="1.5"), "--holdout 1.5: a share lies between 0 and 1"),
        (Options(holdout="nan"), "--holdout nan: a share lies between 0 and 1"),
        (Options(label_delay=-1), "--label-delay -1"),
        (Options(mini_batch=0), "--mini-batch 0"),
        (Options(seed=-1), "--seed -1"),
        (Options(label_delay=50_000), r"reach the newest 50,000 only \(PREQUEL_WINDOW\)"),
    ],
)
def test_wrong_options_are_refused_by_name(path: Path, options: Options, message: str) -> None:
    with pytest.raises(WrongOptions, match=message):
        evaluator(path, options)


def relabelled(path: Path, unlabelled: str) -> Path:
    rows = example_rows(40)
    infos = [info._replace(label=None) if unlabelled in ("all", info.split) else info for info in rows.infos]
    return write_rows(path, FeatureRows(infos, rows.vectors))


@pytest.mark.parametrize(
    ("unlabelled", "message"),
    [
        ("all", "pets.npz has no labels, so there is nothing to learn"),
        ("test", r"none of the 8 examples held out \(test\) has a label"),
        ("train", "--holdout test leaves nothing to learn"),
    ],
)
def test_missing_labels_are_an_error_that_says_where(tmp_path: Path, unlabelled: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        evaluator(relabelled(tmp_path / "pets.npz", unlabelled), Options(holdout="test"))


def test_features_of_another_backbone_are_refused(path: Path) -> None:
    with pytest.raises(EvaluationError, match="features of test-avg-8, not of resnet50"):
        FileExamples(open_features(path), "pets.npz", "resnet50")
    assert FileExamples(open_features(path), "pets.npz", "test-avg").origin.backbone == "test-avg-8"


def test_more_classes_than_the_limit_are_said(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", example_rows(60))
    work = evaluator(path, max_labels=2)
    work.run(Noted())
    assert any("of more classes than 2 (PREQUEL_MAX_LABELS)" in note for note in work.evaluation().notes)


def test_one_example_is_enough(tmp_path: Path) -> None:
    rows = FeatureRows([RowInfo("a", "a.png", "cat", None)], np.ones((1, 4), np.float32))
    work = evaluator(write_rows(tmp_path / "pets.npz", rows))
    work.run(Noted())
    found = work.evaluation()
    assert (found.prequential.images, found.prequential.models["nearest"].accuracy) == (1, None)
    assert found.reports == {"nearest": "", "logistic": ""}
