"""The command `evaluate`: what it prints and saves, of files and of images, and how it ends."""

import csv
import io
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.offline.evaluation.command import Output, run_evaluation
from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.evaluator import Evaluator, Tools
from prequel.services.offline.evaluation.image_examples import ImageExamples
from prequel.services.offline.evaluation.options import Options
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.extraction.extraction import Extraction
from prequel.services.producer.errors import Stopped
from tests.learner.building import Registry
from tests.offline.evaluation.building import config, evaluator, example_rows, write_rows
from tests.offline.extraction.folders import class_folder, extract, jpeg, make_folder, mean_colour, opened


def no_report(evaluation: Evaluation, directory: Path) -> Path:
    return directory


def ticking() -> Iterator[float]:
    """A clock that goes on by a hundredth of a second whenever somebody looks."""
    ticks = 0
    while True:
        yield ticks / 100
        ticks += 1


def run(work: Evaluator, directory: Path | None = None) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=200)
    clock = ticking().__next__
    code = run_evaluation(work, "pets", Output(console, as_json=False, directory=directory, report=no_report), clock)
    return code, console.file.getvalue()  # type: ignore[attr-defined]


def test_it_prints_tables_verdicts_and_the_classification_report(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", example_rows(200))
    code, text = run(evaluator(path, Options(holdout="test")))
    assert code == 0
    assert "144 of 160 examples learned, each predicted before (test, then train):" in text
    assert "held out (test): 36 of 40 examples with a label, not learned:" in text
    assert "classification report of nearest, held out:" in text
    assert "us/example" in text
    assert text.count("order: ") == text.count("have no label: predicted, but not scored") == 1
    lines = text.splitlines()
    assert sum(line.startswith(("nearest ", "logistic ")) for line in lines) >= 4
    assert "200 examples in" in lines[-1]


def test_it_saves_figures_predictions_and_apart_from_them_what_it_took(tmp_path: Path) -> None:
    path, folder = write_rows(tmp_path / "pets.npz", example_rows(50)), tmp_path / "a" / "report"
    assert run(evaluator(path, Options(holdout="test")), folder)[0] == 0
    assert sorted(file.name for file in folder.iterdir()) == ["evaluation.json", "predictions.csv", "resources.json"]
    evaluation = Evaluation.model_validate_json((folder / "evaluation.json").read_text())
    assert evaluation.models == ["nearest", "logistic"]
    with (folder / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    infos = example_rows(50).infos
    assert [(row["row"], row["id"], row["name"], row["truth"]) for row in rows] == [
        (str(number), info.id, info.name, info.label or "") for number, info in enumerate(infos)
    ]
    assert [row["phase"] for row in rows] == ["prequential"] * 40 + ["held-out"] * 10
    right = sum(row["nearest"] == row["truth"] for row in rows[40:])
    assert evaluation.held_out is not None
    assert evaluation.held_out.models["nearest"].accuracy == right / 9
    assert 0 < float(rows[-1]["nearest probability"]) <= 1
    costs = json.loads((folder / "resources.json").read_text())["models"]
    assert costs["logistic"]["seconds"] > 0
    assert costs["nearest"]["state_bytes"] > 0


def test_ended_by_ctrl_c_it_prints_what_is_known_and_saves_nothing(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    path = write_rows(tmp_path / "pets.npz", example_rows(600))
    code, text = run(evaluator(path, stop=stop), tmp_path / "report")
    assert code == 130
    assert "stopped after 512 of 600 examples" in text
    assert "461 of 512 examples learned" in text
    assert list((tmp_path / "report").iterdir()) == []


def test_a_report_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", example_rows(20))
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(EvaluationError, match="taken is a file: name a folder"):
        run(evaluator(path), tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def of_images(root: Path, options: Options, late_bytes: int = 2**20, stop: threading.Event | None = None) -> Evaluation:
    with closing(mean_colour()) as images:
        source, stop = opened(root, order="as-is"), stop or threading.Event()
        examples = ImageExamples(source, images, Extraction(source, images, stop))
        tools = Tools(Registry(), late_bytes, lambda: 0.0, stop)
        work = Evaluator(examples, options, config("nearest,logistic"), tools)
        assert run(work)[0] == 0
        return work.evaluation()


@pytest.mark.parametrize("options", [Options(), Options(holdout="0.3", label_delay=3)])
def test_images_give_what_the_file_of_their_features_gives(tmp_path: Path, options: Options) -> None:
    root = class_folder(tmp_path / "pets", 20)
    options = options._replace(order="as-is")
    found = of_images(root, options)
    extract(opened(root, order="as-is"), tmp_path / "pets.npz")
    work = evaluator(tmp_path / "pets.npz", options)
    run(work)
    expected = work.evaluation().model_copy(update={"source": str(root)})
    assert found == expected
    assert found.prequential.images == (20 if options.holdout is None else 14)


def test_ended_before_the_first_images_have_features_it_does_not_blame_the_images(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Stopped):
        of_images(class_folder(tmp_path / "pets"), Options(), stop=stop)


def test_images_without_features_are_said_and_the_rest_counts(tmp_path: Path) -> None:
    root = class_folder(tmp_path / "pets", 12)
    make_folder(root, {"cat/copy.jpg": jpeg(1), "dog/broken.jpg": b"no image"})
    found = of_images(root, Options())
    assert found.order == "shuffled"
    assert found.prequential.images == 12
    notes = "\n".join(found.notes)
    assert "dog/broken.jpg" in notes
    assert "copies of other images, counted once: 1" in notes


def test_vectors_that_wait_for_labels_and_are_no_file_must_fit_into_memory(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match=r"PREQUEL_CACHE_BYTES: make a file of the features first"):
        of_images(class_folder(tmp_path / "pets"), Options(label_delay=5), late_bytes=10)
