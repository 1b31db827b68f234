"""`prequel stream FEATURES`, through a real gateway, log and learner."""

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.errors import SourceError, WrongUsage
from prequel.services.producer.report import exit_code
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.types import Features
from prequel.shared.features.base import FeatureMeta, FeatureRows, RowInfo
from prequel.shared.features.opening import create_features
from prequel.shared.log.base import EXAMPLES, IMAGES
from tests.producer.conftest import Stream, System
from tests.producer.test_stream import Photos, when

BACKBONE = "mean-colour"


def features_of(system: System, stream: str) -> list[Features]:
    """The features of a stream in the log, in its order."""
    events = [event for event in map(decode_example, system.records(EXAMPLES)) if isinstance(event, Features)]
    return [event for event in events if event.stream == stream]


def rows_of(events: list[Features]) -> FeatureRows:
    infos = [RowInfo(event.id, f"photos/{event.id}.png", event.label, None) for event in events]
    return FeatureRows(infos, np.stack([event.vector for event in events]))


def write(path: Path, rows: FeatureRows, *, order: str = "as-is", backbone: str = BACKBONE) -> Path:
    writer = create_features(path, FeatureMeta(backbone=backbone, dim=rows.vectors.shape[1], order=order))
    writer.append(rows)
    writer.finish(sorted({info.label for info in rows.infos if info.label is not None}))
    writer.close()
    return path


def made_up(count: int, *, classes: int = 2, dim: int = 3) -> FeatureRows:
    """Rows of classes that come one after the other."""
    infos = [RowInfo(f"r{n}", f"row {n}", "abcdefgh"[n * classes // count], None) for n in range(count)]
    return FeatureRows(infos, np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32))


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("extension", ["parquet", "npz", "csv"])
def test_features_of_images_make_the_stream_that_the_images_make(
    stream: Stream, system: System, client: Client, photos: Photos, tmp_path: Path, extension: str
) -> None:
    stream(photos(40), "of-images", shuffle=3)
    events = features_of(system, "of-images")
    path = write(tmp_path / f"features.{extension}", rows_of(events), order="shuffle:3")
    summary = stream(path, "of-features")
    assert (summary.sent, summary.predicted, summary.new) == (120, 120, 120)
    one, other = client.stream("of-images"), client.stream("of-features")
    assert one is not None
    assert other is not None
    same = {"backbone", "dim", "images", "labelled", "labels", "statuses", "models", "label_reasons", "verdicts"}
    assert one.model_dump(include=same) == other.model_dump(include=same)
    for event in events[::10]:
        first, second = client.prediction("of-images", event.id), client.prediction("of-features", event.id)
        assert first is not None
        assert second is not None
        assert second["image"] is None
        varying = ("stream", "position", "image", "at", "attributes")
        assert {k: v for k, v in first.items() if k not in varying} == {
            k: v for k, v in second.items() if k not in varying
        }


def test_rows_in_blocks_are_shuffled_and_others_sent_as_they_lie(
    stream: Stream, system: System, console: Console, tmp_path: Path
) -> None:
    rows = made_up(60)
    stream(write(tmp_path / "blocks.parquet", rows), "blocks")
    assert "order: shuffled with seed 0" in printed(console)
    sent = features_of(system, "blocks")
    assert [event.id for event in sent] != [info.id for info in rows.infos]
    by_id = {info.id: vector for info, vector in zip(*rows, strict=True)}
    assert all(np.array_equal(event.vector, by_id[event.id]) for event in sent)
    stream(write(tmp_path / "mixed.npz", rows, order="shuffle:7"), "mixed")
    assert "order: as the file has it, which was shuffled with seed 7 when it was made" in printed(console)
    assert "60 of 60 examples sent" in printed(console)
    assert [event.id for event in features_of(system, "mixed")] == [info.id for info in rows.infos]


def test_given_again_nothing_is_sent_and_changed_labels_are_corrected(
    stream: Stream, system: System, client: Client, tmp_path: Path
) -> None:
    rows = made_up(30)
    path = write(tmp_path / "first.parquet", rows)
    stream(path)
    again = stream(path)
    assert (again.sent, again.already_known, exit_code(again)) == (0, 30, 0)
    changed = FeatureRows([rows.infos[0]._replace(label="b"), *rows.infos[1:]], rows.vectors)
    other = write(tmp_path / "changed.parquet", changed)
    assert [problem.name for problem in stream(other).changed_labels] == ["row 0"]
    assert stream(other, correct=True).corrected == 1
    known = client.prediction("colours", "r0")
    assert known is not None
    assert known["truth"] == "b"


def test_without_labels_they_can_be_left_out(stream: Stream, client: Client, tmp_path: Path) -> None:
    summary = stream(write(tmp_path / "features.npz", made_up(10)), labels="none")
    assert (summary.sent, summary.labelled) == (10, 0)


def test_labels_can_come_later_as_events(stream: Stream, system: System, tmp_path: Path) -> None:
    summary = stream(write(tmp_path / "features.npz", made_up(40)), label_delay=8)
    assert (summary.sent, summary.refused_labels) == (40, [])
    assert {label.id for label in system.labels()} == {f"r{number}" for number in range(40)}
    assert [event.label for event in features_of(system, "colours")] == [None] * 40


def test_after_ctrl_c_the_same_command_goes_on(
    stream: Stream, system: System, stop: object, client: Client, tmp_path: Path
) -> None:
    path = write(tmp_path / "features.parquet", made_up(200))

    def sent() -> bool:
        status = client.stream("colours")
        return status is not None and status.images >= 20

    with when(sent, stop.set):  # type: ignore[attr-defined]
        first = stream(path, rate=100)
    assert first.interrupted
    stop.clear()  # type: ignore[attr-defined]
    second = stream(path)
    assert 0 < first.sent < 200
    assert 0 < second.already_known < 200
    status = client.stream("colours")
    assert status is not None
    assert status.images == 200


def test_rows_of_any_length_come_whole_and_in_requests_that_a_gateway_takes(stream: Stream, tmp_path: Path) -> None:
    summary = stream(write(tmp_path / "features.npz", made_up(5, dim=1_000_000)), labels="none")
    assert (summary.sent, summary.predicted) == (5, 5)


@pytest.mark.parametrize(
    ("backbone", "dim", "problem"),
    [("other", 3, "features of other"), (BACKBONE, 2, "mean-colour (2 values)")],
)
def test_features_of_another_backbone_or_length_are_refused_before_anything_is_sent(
    stream: Stream, system: System, photos: Photos, tmp_path: Path, backbone: str, dim: int, problem: str
) -> None:
    stream(photos(1))
    path = write(tmp_path / "features.npz", made_up(4, dim=dim), backbone=backbone)
    before = len(system.records(EXAMPLES))
    with pytest.raises(SourceError) as raised:
        stream(path)
    assert problem in str(raised.value)
    assert "learns from mean-colour (3 values)" in str(raised.value)
    assert len(system.records(EXAMPLES)) == before


def test_images_for_a_stream_of_own_features_stop_the_command_with_the_reason(
    stream: Stream, system: System, photos: Photos, tmp_path: Path
) -> None:
    stream(write(tmp_path / "features.npz", made_up(4), backbone="minilm"))
    with pytest.raises(SourceError, match=r"learns from features of minilm, which no extractor makes .*send features"):
        stream(photos(20))
    assert system.records(IMAGES) == []


def test_a_table_of_another_program_is_streamed_under_its_own_name(
    stream: Stream, client: Client, tmp_path: Path
) -> None:
    path = tmp_path / "words.csv"
    path.write_text("class,feat_0,feat_1\n" + "".join(f"{'cat' if n % 3 else 'dog'},{n},{n % 3}\n" for n in range(30)))
    summary = stream(path)
    assert (summary.sent, summary.labelled) == (30, 30)
    status = client.stream("colours")
    assert status is not None
    assert (status.backbone, status.dim, sorted(status.labels)) == ("words", 2, ["cat", "dog"])


def test_what_cannot_be_streamed_says_why(stream: Stream, tmp_path: Path) -> None:
    path = write(tmp_path / "features.npz", made_up(4))
    with pytest.raises(WrongUsage, match="the feature file has its labels"):
        stream(path, labels="folder")
    with pytest.raises(WrongUsage, match="have no time"):
        stream(path, order="time")
    (tmp_path / "cut.parquet").write_bytes(path.read_bytes()[:100])
    with pytest.raises(SourceError, match=r"cut\.parquet"):
        stream(tmp_path / "cut.parquet")
    with pytest.raises(SourceError, match="does not exist"):
        stream(tmp_path / "none.parquet")
    np.savez(tmp_path / "empty.npz", features=np.empty((0, 3), np.float32))
    with pytest.raises(SourceError, match="rows"):
        stream(tmp_path / "empty.npz")


def test_a_bad_row_is_named(stream: Stream, tmp_path: Path) -> None:
    rows = made_up(500)
    np.savez(tmp_path / "bad.npz", features=np.where(np.arange(1500).reshape(500, 3) == 1200, np.nan, rows.vectors))
    with pytest.raises(SourceError, match=r"bad\.npz.*row 401.*what was sent before it stays"):
        stream(tmp_path / "bad.npz")
