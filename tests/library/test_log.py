"""`prequel.read`: a log as rows and data frames, while the system runs, and what cannot be read."""

import json
import shutil
import sys
from collections.abc import Callable
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import prequel
from prequel.shared.log.base import DEAD_LETTERS, IMAGES, Message
from tests.e2e.processes import eventually
from tests.producer.conftest import COLOURS
from tests.servers.one_process import OneProcess

STREAM = "colours"


def test_labels_are_words_times_and_texts_in_either_data_frame(data: Path) -> None:
    rows = prequel.read(data, stream=STREAM)
    frame = rows.to_pandas()
    assert list(frame.columns) == list(rows.columns) == ["id", "label", "by", "why", "at", "image"]
    assert isinstance(frame.label.dtype, pandas.CategoricalDtype)
    assert str(frame["at"].dtype) == "datetime64[us, UTC]"
    assert dict(zip(frame.id, frame.label, strict=True)) == {f"{name}-{n}": name for n in range(4) for name in COLOURS}
    other = rows.to_polars()
    assert other.schema["label"] == polars.Categorical
    assert other.schema["at"] == polars.Datetime("us", "UTC")
    assert other["id"].to_list() == frame.id.to_list()
    assert [row["at"] for row in rows] == other["at"].to_list() == list(frame["at"].dt.to_pydatetime())
    assert next(iter(rows))["at"].tzinfo is UTC


def test_features_are_arrays_and_can_be_evaluated(data: Path) -> None:
    rows = prequel.read(data, stream=STREAM, what="features")
    X, y = rows.to_numpy()
    assert (X.shape, X.dtype.name) == ((12, 3), "float32")
    assert y.tolist() == ["red", "green", "blue"] * 4
    for name, x in zip(y, X, strict=True):
        assert x == pytest.approx(np.array(COLOURS[name]) / 255, abs=0.1)
    frame = rows.to_pandas()
    assert (np.stack(frame.features) == X).all()
    assert set(frame.backbone) == {"mean-colour"}
    other = rows.to_polars()
    assert other.schema["features"] == polars.Array(polars.Float32, 3)
    assert (other["features"].to_numpy() == X).all()
    found = prequel.evaluate(rows, models="ncm", order="as-is", progress=False)
    assert found.prequential.images == 12
    assert str(found) == str(prequel.evaluate((X, y), models="ncm", order="as-is", progress=False))


def test_predictions_are_those_of_the_time_and_those_of_now(data: Path) -> None:
    rows = list(prequel.read(data, stream=STREAM, what="predictions"))
    assert [row["id"] for row in rows] == [f"{name}-{n}" for n in range(4) for name in COLOURS]
    assert rows[0]["then_label"] is None
    assert all(row["now_label"] == row["truth"] for row in rows)
    assert all(set(row["now_models"]) == {"ncm"} for row in rows)
    frame = prequel.read(data, stream=STREAM, what="predictions").to_pandas()
    assert json.loads(frame.now_models.iloc[0]) == rows[0]["now_models"]


def test_what_was_predicted_can_be_compared_with_the_truth_in_either_data_frame(data: Path) -> None:
    rows = next(prequel.read(data, stream=STREAM, what="predictions").pieces(3))
    frame, other = rows.to_pandas(), rows.to_polars()
    assert "blue" not in set(frame.then_label)  # The newest class was never predicted: it is a category all the same.
    assert (frame.then_label != frame.truth).tolist() == [True, True, True]
    assert other["then_label"].ne_missing(other["truth"]).to_list() == [True, True, True]
    assert dict(zip(frame.id, frame.truth, strict=True)) == {f"{name}-0": name for name in COLOURS}


def test_pieces_hold_so_many_rows_and_are_all_of_them(data: Path) -> None:
    rows = prequel.read(data, stream=STREAM)
    pieces = list(rows.pieces(5))
    assert [len(piece.to_polars()) for piece in pieces] == [5, 5, 2]
    assert pyarrow.concat_tables([piece.to_arrow() for piece in pieces]).to_pylist() == rows.to_arrow().to_pylist()


def test_events_are_all_records_as_they_are(data: Path, system: OneProcess) -> None:
    (at,) = system.log.append([Message(IMAGES, STREAM.encode(), b"not an image")])
    eventually(lambda: system.log.bounds(DEAD_LETTERS)[0].end, "the image is a dead letter")
    frame = prequel.read(data, what="events").to_pandas()
    assert frame.topic.drop_duplicates().tolist() == ["images", "examples", "predictions", "dead-letters"]
    first = frame.iloc[0]
    assert (first.position, first.type, first.stream, first.id, first.label) == (
        "0:0",
        "prequel.image.v1",
        STREAM,
        "red-0",
        "red",
    )
    assert first["data"].startswith(b"\x89PNG")
    bare = frame[(frame.topic == "images") & (frame.position == str(at))].iloc[0]
    assert (bare.id, bare.stream, bare["data"]) == (f"images:{at}", STREAM, b"not an image")
    predictions = frame[frame.type == "prequel.prediction.v1"]
    assert predictions.id.tolist() == [f"{name}-{n}" for n in range(4) for name in COLOURS]
    assert json.loads(predictions["data"].iloc[0])["id"] == "red-0"
    assert (frame.time <= pandas.Timestamp.now(UTC)).all()


def test_each_pass_reads_what_is_there_then(
    system: OneProcess, data: Path, client: prequel.Client, photos: Path
) -> None:
    rows = prequel.read(data, stream="growing", what="events", topics=["images"])
    with pytest.raises(prequel.PrequelError, match=f"there is no stream growing: the log has .*{STREAM}"):
        rows.to_pandas()
    client.send("growing", photos / "red" / "0.png", wait=30)
    assert len(rows.to_pandas()) == 1
    client.label("growing", rows.to_pandas().id.iloc[0], "scarlet", by="ann", why="correction", wait=30)
    (row,) = prequel.read(data, stream="growing")
    assert (row["label"], row["by"], row["why"]) == ("scarlet", "ann", "correction")


def copied(data: Path, target: Path) -> Path:
    """A log at rest, without its store."""
    shutil.copytree(data / "log", target / "log")
    return target


def test_without_its_store_a_log_is_folded_from_its_beginning_and_no_file_is_made(data: Path, tmp_path: Path) -> None:
    copy = copied(data, tmp_path)
    files = sorted(copy.rglob("*.sqlite"))
    expected = list(prequel.read(data, stream=STREAM))
    for log in (copy, copy / "log", copy / "log" / "examples.sqlite"):
        assert list(prequel.read(log, stream=STREAM)) == expected
    assert sorted(copy.rglob("*.sqlite")) == files


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda data: prequel.read(data / "nowhere"), "nowhere does not exist: name the folder that `prequel up`"),
        (lambda data: prequel.read(data.parent), "has no log: name the folder"),
        (lambda data: prequel.read(data, stream="colour"), f"there is no stream colour: the log has .*{STREAM}"),
        (lambda data: prequel.read(data, stream="no name"), "'no name' is not a valid stream name"),
        (lambda data: prequel.read(data, what=cast(Any, "images")), "what='images' cannot be read: choose labels"),
        (
            lambda data: prequel.read(data, what="events", topics=["image"]),
            "there is no topic image: choose from images",
        ),
        (lambda data: prequel.read(data, settings={"cach": 1}), "there is no setting cach"),
        (lambda data: prequel.read(data, stream=STREAM, settings={"port": "x"}), "PREQUEL_PORT"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_why(data: Path, call: Callable[[Path], Any], message: str) -> None:
    with pytest.raises(prequel.PrequelError, match=message):
        call(data)


def test_a_stream_may_be_left_out_where_there_is_one(data: Path, client: prequel.Client, photos: Path) -> None:
    client.send("another", photos / "red" / "0.png", wait=30)
    with pytest.raises(prequel.PrequelError, match=f"several streams: name one of another, .*{STREAM}.* as stream="):
        prequel.read(data)


@pytest.mark.parametrize("package", ["pandas", "polars"])
def test_a_missing_package_is_named_with_what_installs_it(
    data: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = prequel.read(data, stream=STREAM)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"needs {package}: pip install {package}"):
        getattr(rows, f"to_{package}")()
