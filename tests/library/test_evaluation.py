"""`prequel.evaluate`: the same figures as the command, of files, arrays and data frames; and how it is stopped."""

import json
import signal
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import prequel
from prequel.services.cli.main import main
from prequel.services.library.stopping import stoppable
from prequel.services.offline.evaluation.files import as_json
from tests.offline.evaluation.building import example_rows, write_rows

ROWS = example_rows(60)
LABELS = [info.label for info in ROWS.infos]


def figures(evaluation: prequel.Evaluation) -> dict[str, Any]:
    """All but what it is of."""
    return evaluation.prequential.model_dump() | {"reports": evaluation.reports}


def labels_of(evaluation: prequel.Evaluation) -> list[str]:
    return sorted(evaluation.prequential.models["slda"].classes)


def evaluated(source: Any, **options: Any) -> prequel.Evaluation:
    return prequel.evaluate(source, models="slda,ncm", progress=False, **options)


def test_it_finds_what_the_command_finds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_rows(tmp_path / "pets.npz", ROWS)
    options = ["--holdout", "test", "--seed", "3", "--label-delay", "2"]
    assert main(["evaluate", str(path), "--models", "slda,ncm", "--json", *options]) == 0
    found = evaluated(path, holdout="test", seed=3, label_delay=2, report=tmp_path / "report")
    assert (found.seed, found.order, found.label_delay) == (3, "as-is", 2)
    assert json.loads(as_json(found)) == json.loads(capsys.readouterr().out)
    assert (tmp_path / "report" / "evaluation.json").read_text() == as_json(found) + "\n"
    assert (tmp_path / "report" / "report.html").exists()
    assert found.resources is not None
    assert set(found.resources.models) == {"slda", "ncm"}


def test_printed_it_is_the_commands_table_without_what_depends_on_the_machine(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", ROWS)
    first, second = evaluated(path), evaluated(path)
    assert str(first) == str(second)
    assert "classification report of slda" in str(first)
    assert "us/example" not in str(first)
    assert (
        repr(first)
        == f"<Evaluation of {path}: "
        + ", ".join(f"{name} {model.accuracy:.4f}" for name, model in first.prequential.models.items())
        + ">"
    )


class Sparse:
    """Of a matrix of SciPy, what says that it is sparse."""

    def toarray(self) -> object:
        return ROWS.vectors


def frame_with_columns() -> pandas.DataFrame:
    return pandas.DataFrame(ROWS.vectors).assign(label=LABELS)


def frame_with_lists() -> polars.DataFrame:
    return polars.DataFrame({"id": [info.id for info in ROWS.infos], "y": LABELS, "x": list(ROWS.vectors)})


@pytest.mark.parametrize(
    "source",
    [
        (ROWS.vectors, LABELS),
        (ROWS.vectors.tolist(), np.array(LABELS, object)),
        (pandas.DataFrame(ROWS.vectors), pandas.Series(LABELS)),
        frame_with_columns(),
        frame_with_lists(),
        frame_with_lists().to_arrow(),
        (ROWS.vectors, pyarrow.array(LABELS)),
    ],
    ids=["array", "lists", "pandas pair", "pandas", "polars", "pyarrow", "pyarrow labels"],
)
def test_arrays_and_data_frames_give_what_a_file_of_them_gives(source: Any, tmp_path: Path) -> None:
    path = write_rows(tmp_path / "pets.npz", ROWS)
    assert figures(evaluated(source, order="shuffled")) == figures(evaluated(path, order="shuffled"))


def test_numbers_and_truths_are_labels_too() -> None:
    X = np.array([[0.0], [1.0]] * 5)
    for y in ([0, 1] * 5, [0.0, 1.0] * 5, np.array([0, 1] * 5)):
        assert labels_of(evaluated((X, y))) == ["0", "1"]
    assert labels_of(evaluated((X, [False, True] * 5))) == ["False", "True"]


@pytest.mark.parametrize(
    "y",
    [
        pandas.Series(["a", "b", pandas.NA] * 4, dtype="string"),
        pandas.Series([True, False, None] * 4, dtype="boolean"),
        pandas.to_datetime(["2020", "2021", None] * 4),
        np.array(["a", "b", np.float32("nan")] * 4, object),
    ],
)
def test_what_is_missing_is_no_label_however_pandas_says_so(y: Any) -> None:
    found = evaluated((np.arange(12.0)[:, None], y))
    assert (len(labels_of(found)), found.prequential.labelled) == (2, 8)
    assert "4 examples have no label" in str(found.notes)


def test_rows_whose_id_or_split_is_missing_are_rows() -> None:
    frame = pandas.DataFrame({"a": np.arange(6.0), "y": ["a", "b"] * 3})
    found = evaluated(frame.assign(id=[*"pqr", None, np.nan, pandas.NA], split=["s", pandas.NA, None] * 2))
    assert (found.prequential.images, "copies" in str(found.notes)) == (6, False)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ((ROWS.vectors, 1), "y is 1: it needs a label for each row"),
        ((Sparse(), LABELS), r"X is sparse: give X\.toarray\(\)"),
        (pandas.DataFrame({"label": ["x"], "a": pandas.to_datetime(["2020"])}), "the column a holds times"),
        (pandas.DataFrame([["x", 1.0, 2.0]], columns=["label", "a", "a"]), "two columns 'a'"),
        ((ROWS.vectors, LABELS[:3]), "X has 60 rows, and label 3: each row needs one"),
        ((ROWS.vectors[:, 0], LABELS), r"X has the shape \[60\] and holds float32: it needs a row of numbers"),
        (([["a"], ["b"]], ["x", "y"]), r"X has the shape \[2, 1\] and holds <U1"),
        (([[1.0], [1.0, 2.0]], ["x", "y"]), "X holds no numbers, or rows of different lengths"),
        ((np.array([[1.0], [2.0], [np.nan]]), ["x", "y", "x"]), "X: row 3, value 1 is NaN"),
        ((np.array([[1.0], [1e300]]), ["x", "y"]), "X: row 2, value 1 is NaN, infinite or too large"),
        ((np.ones((2, 1)), [None, None]), "has no labels"),
        (pandas.DataFrame(ROWS.vectors), "no column of labels: call it one of label, labels"),
        (pandas.DataFrame({"label": ["x"], "a": ["z"]}), "the column a holds no numbers"),
        (pandas.DataFrame({"label": ["x"]}), "no column of features"),
        (7, "int is nothing to evaluate"),
        ("nowhere.parquet", "nowhere.parquet does not exist"),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_that_says_why(source: Any, message: str) -> None:
    with pytest.raises(prequel.PrequelError, match=message):
        evaluated(source)


def test_options_that_cannot_be_are_errors() -> None:
    with pytest.raises(prequel.PrequelError, match="sideways is unknown: use one of shuffled"):
        evaluated((ROWS.vectors, LABELS), order="sideways")
    with pytest.raises(prequel.PrequelError, match="PREQUEL_MODELS=nonsense"):
        prequel.evaluate((ROWS.vectors, LABELS), models="nonsense")
    with pytest.raises(prequel.PrequelError, match="is for images"):
        evaluated((ROWS.vectors, LABELS), pooling="max")


def test_ctrl_c_reaches_the_work_as_an_event_and_leaves_no_thread() -> None:
    main = threading.get_ident()

    def work(stop: threading.Event) -> str:
        signal.pthread_kill(main, signal.SIGINT)
        return "what is known" if stop.wait(30) else "all"

    threads, handler = threading.active_count(), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert stoppable(work) == "what is known"
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)
    assert threading.active_count() == threads
