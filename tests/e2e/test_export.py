"""Exports of a real process: what leaves is what the stream has, it makes the same stream again, and nothing is left
behind by what breaks off."""

import csv
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pyarrow.parquet
import pytest

import prequel
from prequel.shared.events.features import encode_features
from prequel.shared.events.headers import timestamp
from prequel.shared.events.types import Image
from prequel.shared.log.base import Position
from prequel.shared.log.sqlite.log import SqliteLog
from tests.e2e.processes import Up, eventually, scanned
from tests.servers import plain_http

IMAGES = 60
URL = "/v1/streams/large/export?what=features"
OWN_ID = "images:0:my.own"
LARGE, DIM = 1_500, 4_096
"""24 MB of features, more than pipes and sockets hold: an export of them is not done before somebody reads it."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One process for all of these tests: `digits` has lived, `large` has many features."""
    folder = tmp_path_factory.mktemp("export")
    random = np.random.default_rng(1)
    with closing(SqliteLog(folder / "data" / "log")) as log:
        for begin in range(0, LARGE, 500):
            log.append(
                [
                    encode_features(
                        Image(f"i{n}", "large", "ab"[n % 2], 1.7e9, b"", Position(0, n)),
                        random.normal(size=DIM).astype(np.float32),
                        "mine",
                        source="test",
                    )
                    for n in range(begin, begin + 500)
                ]
            )
    settings = {"PREQUEL_MODELS": "slda,ncm", "PREQUEL_CHECKPOINT_SECONDS": "0.5"}
    with Up(folder / "data", settings) as started:
        eventually(started.ready, "the services are ready")
        post_with_own_id(started, scanned(folder / "scans", IMAGES))
        run(started, "stream", str(folder / "scans"), "--stream", "digits")
        live(started)
        eventually(lambda: started.images("large") == LARGE, "all features are learned")
        yield started


def run(up: Up, *arguments: str, code: int = 0) -> str:
    done = up.run(*arguments, "--url", up.url)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def get(up: Up, path: str, **params: Any) -> httpx.Response:
    return plain_http.get(f"{up.url}/v1/streams/{path}", timeout=60, params=params)


def post_with_own_id(up: Up, folder: Path) -> None:
    """One of the images, before all others, under an id that is not that of its bytes."""
    image = next(folder.glob("8/*.png"))
    with plain_http.client(up.url, timeout=60, headers={"Idempotency-Key": OWN_ID}) as client:
        headers = {"Content-Type": "image/png"}
        url = "/v1/streams/digits/images?label=8&wait=60"
        assert client.post(url, content=image.read_bytes(), headers=headers).status_code == 200
    image.unlink()


def live(up: Up) -> None:
    """Correct, retract, rename, merge, delete, forget."""
    by_class: dict[str, list[str]] = {}
    for row in exported(up, "digits", "labels"):
        by_class.setdefault(row["label"], []).append(row["id"])
    run(up, "label", "digits", by_class["5"][0], "6")
    run(up, "label", "digits", by_class["5"][1], "--retract")
    run(up, "classes", "digits", "rename", "3", "24/7", "--yes")
    run(up, "classes", "digits", "merge", "1", "7", "--yes")
    run(up, "classes", "digits", "delete", "2", "--yes")
    run(up, "forget", "digits", by_class["4"][0], "--yes")
    eventually(lambda: not get(up, "digits").json()["catching_up"], "the commands have caught up")


def exported(up: Up, stream: str, what: str) -> list[dict[str, Any]]:
    answer = get(up, f"{stream}/export", what=what, format="ndjson")
    assert answer.status_code == 200, answer.text
    return [orjson.loads(line) for line in answer.content.splitlines()]


def exports(parent: int) -> list[int]:
    """The processes of exports that a process has, but for zombies."""
    done = subprocess.run(["ps", "-wweo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    return [
        int(pid)
        for pid, ppid, stat, args in (row for row in rows if len(row) == 4)
        if "prequel.services run-export" in args and stat[0] != "Z" and int(ppid) == parent
    ]


def test_labels_are_the_truth_of_every_example(up: Up) -> None:
    rows = {row["id"]: row["label"] for row in exported(up, "digits", "labels")}
    ids = [row["id"] for row in exported(up, "digits", "predictions")]
    assert len(ids) == IMAGES - 1
    found = plain_http.post(f"{up.url}/v1/streams/digits/lookup", timeout=60, json={"ids": ids}).json()["examples"]
    renamed = get(up, "digits").json()["renamed"]
    truths = {each["id"]: renamed.get(each["truth"], each["truth"]) for each in found}
    assert {id: rows.get(id) for id in ids} == {id: None if t == "2" else t for id, t in truths.items()}
    assert set(rows.values()) == {"0", "24/7", "4", "5", "6", "7", "8", "9"}


@pytest.mark.parametrize("what", ["labels", "predictions", "features"])
def test_the_log_itself_gives_the_rows_that_the_gateway_exports(up: Up, what: Any) -> None:
    rows = list(prequel.read(up.folder, stream="digits", what=what))
    assert len(rows) > IMAGES / 2
    for row in rows:
        if "at" in row:
            row["at"] = timestamp(row["at"].timestamp())
        if "features" in row:
            row["features"] = row["features"].tolist()
    assert rows == exported(up, "digits", what)


def test_predictions_are_those_of_the_time_and_those_of_now(up: Up) -> None:
    features = {row["id"]: row["features"] for row in exported(up, "digits", "features")}
    for row in exported(up, "digits", "predictions")[::7]:
        then = get(up, f"digits/predictions/{row['id']}").json()
        assert (row["then_model"], row["then_models"]) == (then["model"], then["models"])
        assert row["then_label"] == then["label"]
        assert row["then_probability"] == then["probabilities"].get(then["label"])
        url = f"{up.url}/v1/streams/digits/predict"
        now = plain_http.post(url, timeout=60, json={"features": features[row["id"]]}).json()
        assert (row["now_label"], row["now_models"]) == (now["label"], now["models"])
        assert row["now_probability"] == pytest.approx(max(now["probabilities"].values()), abs=1e-5)


def test_features_sent_again_make_the_same_stream(up: Up) -> None:
    """For labels that came with their examples: a label that comes late is learned late."""
    body = get(up, "large/export", what="features", format="ndjson").content
    half = body.splitlines()[:400]
    with plain_http.client(up.url, timeout=60, headers={"Content-Type": "application/x-ndjson"}) as client:
        for begin in range(0, 400, 100):
            lines = b"\n".join(half[begin : begin + 100])
            assert client.post("/v1/streams/first/examples", content=lines).status_code == 202
    eventually(lambda: up.images("first") == 400, "they are learned")
    again = get(up, "first/export", what="features", format="ndjson").content
    assert again.splitlines() == half
    with plain_http.client(up.url, timeout=60, headers={"Content-Type": "application/x-ndjson"}) as client:
        for begin in range(0, 400, 100):
            lines = b"\n".join(again.splitlines()[begin : begin + 100])
            assert client.post("/v1/streams/second/examples", content=lines).status_code == 202
    eventually(lambda: up.images("second") == 400, "they are learned")
    one, other = (get(up, stream).json()["models"] for stream in ("first", "second"))
    assert one == other
    predictions = [
        [(row["id"], row["then_label"], row["then_probability"], row["now_probability"]) for row in rows]
        for rows in (exported(up, "first", "predictions"), exported(up, "second", "predictions"))
    ]
    assert predictions[0] == predictions[1]


def test_a_file_of_features_is_the_lines_of_features(up: Up, tmp_path: Path) -> None:
    said = run(up, "export", "digits", "--what", "features", "--out", str(tmp_path / "f.parquet"))
    assert "digits: features in" in said
    rows = pyarrow.parquet.read_table(tmp_path / "f.parquet").to_pylist()
    lines = exported(up, "digits", "features")
    assert [(row["id"], row["label"]) for row in rows] == [(line["id"], line["label"]) for line in lines]
    assert [row["features"] for row in rows] == [pytest.approx(line["features"]) for line in lines]
    table = get(up, "digits/export", what="features", format="csv").text.splitlines()
    assert table[0] == ",".join(["class", *(f"feat_{number}" for number in range(len(lines[0]["features"])))])
    assert [line.partition(",")[0] or None for line in table[1:]] == [line["label"] for line in lines]
    assert [float(x) for x in table[1].split(",")[1:]] == pytest.approx(lines[0]["features"])
    run(up, "export", "digits", "--what", "features", "--out", str(tmp_path / "f.npz"))
    run(up, "stream", str(tmp_path / "f.npz"), "--stream", "third")
    assert exported(up, "third", "features") == lines
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.npz", "f.parquet"]


def test_images_streamed_again_have_the_same_ids_labels_and_bytes(up: Up, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    said = run(up, "export", "digits", "--what", "images", "--out", str(folder))
    assert f"{IMAGES - 1} images in {folder}" in said
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert len(table) == IMAGES - 1
    for row in table:
        assert (folder / row["file"]).read_bytes() == get(up, f"digits/images/{row['id']}").content
        assert row["file"].rpartition("/")[0] == row["label"].replace("24/7", "24%2F7")
    run(up, "stream", str(folder), "--labels", f"csv:{folder / 'labels.csv'}", "--stream", "again")
    labels = [{row["id"]: row["label"] for row in exported(up, stream, "labels")} for stream in ("digits", "again")]
    assert labels[0] == labels[1]
    assert len(exported(up, "again", "predictions")) == IMAGES - 1
    assert labels[1][OWN_ID] == "8"
    refused = run(up, "export", "digits", "--what", "images", "--out", str(folder), code=2)
    assert "is not empty" in refused


def test_a_file_that_is_there_is_replaced_only_where_that_is_said(up: Up, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text("mine")
    assert "exists" in run(up, "export", "digits", "--what", "labels", "--out", str(file), code=2)
    assert file.read_text() == "mine"
    run(up, "export", "digits", "--what", "labels", "--out", str(file), "--force")
    assert file.read_text().startswith("id,label,by,why,at,image\n")
    assert run(up, "label", "digits", "--csv", str(file))
    nowhere = tmp_path / "none" / "labels.csv"
    assert "does not exist" in run(up, "export", "digits", "--what", "labels", "--out", str(nowhere), code=2)


@pytest.mark.parametrize(
    ("stream", "params", "status", "detail"),
    [
        (
            "digits",
            {"what": "images", "format": "csv"},
            422,
            "format: images can be exported as zip or tar, not as csv",
        ),
        ("digits", {"what": "labels", "format": "zip"}, 422, "labels can be exported as csv or ndjson or parquet"),
        ("digits", {"what": "everything"}, 422, "what: "),
        ("digits", {}, 422, "what: "),
        ("digit", {"what": "labels"}, 404, "digits"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    up: Up, stream: str, params: dict[str, str], status: int, detail: str
) -> None:
    answer = get(up, f"{stream}/export", **params)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


def test_a_stream_without_an_example_has_empty_tables_and_no_features(up: Up) -> None:
    command = {"do": "stream.create"}
    plain_http.post(f"{up.url}/v1/streams/empty/commands", timeout=60, json=command, params={"wait": 30})
    answer = get(up, "empty/export", what="labels")
    assert answer.text == "id,label,by,why,at,image\n"
    assert (answer.headers["Prequel-Examples"], answer.headers["Prequel-Complete"]) == ("0", "true")
    answer = get(up, "empty/export", what="features")
    assert (answer.status_code, "no features yet" in answer.text) == (409, True)


def test_an_export_ends_when_its_client_goes_and_more_than_two_are_refused(up: Up) -> None:
    with (
        plain_http.client(up.url, timeout=60) as client,
        client.stream("GET", URL),
        client.stream("GET", URL) as second,
    ):
        assert second.status_code == 200
        assert len(exports(up.pid)) == 2
        refused = get(up, "large/export", what="labels")
        assert (refused.status_code, "2 exports run here already" in refused.text) == (503, True)
    eventually(lambda: not exports(up.pid), "both processes have ended")
    assert len(exported(up, "large", "labels")) == LARGE


def test_an_export_whose_process_is_killed_breaks_off(up: Up) -> None:
    with plain_http.client(up.url, timeout=60) as client, client.stream("GET", URL) as answer:
        os.kill(exports(up.pid)[0], signal.SIGKILL)
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    eventually(lambda: "the export of features of large broke off" in up.output, "the log says why")
    assert "Traceback" not in up.output


def test_a_gateway_that_stops_ends_its_exports(up: Up) -> None:
    with plain_http.client(up.url, timeout=60) as client, client.stream("GET", URL) as answer:
        assert up.terminate() == 0
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()
    assert "broke off: the gateway is stopping" in up.output
    assert "Traceback" not in up.output
    up.start()
    eventually(up.ready, "the services are ready again")


def test_a_command_that_is_broken_off_leaves_nothing_behind(up: Up, tmp_path: Path) -> None:
    """A pipe that nobody reads holds the command, and so the export, in the middle."""
    command = up.begin("export", "large", "--what", "features", "--out", str(tmp_path / "f.parquet"), "--url", up.url)
    eventually(lambda: exports(up.pid), "the export has begun")
    command.send_signal(signal.SIGTERM)
    assert command.wait(60) in (0, 130, -signal.SIGTERM)
    assert list(tmp_path.iterdir()) == [] or pyarrow.parquet.read_table(tmp_path / "f.parquet").num_rows == LARGE
    eventually(lambda: not exports(up.pid), "its process has ended")


def test_a_stream_that_is_deleted_meanwhile_is_not_exported_by_half(up: Up) -> None:
    body = get(up, "large/export", what="features", format="ndjson").content.splitlines()[:300]
    with plain_http.client(up.url, timeout=60, headers={"Content-Type": "application/x-ndjson"}) as client:
        for begin in range(0, 300, 100):
            lines = b"\n".join(body[begin : begin + 100])
            assert client.post("/v1/streams/doomed/examples", content=lines).status_code == 202
        eventually(lambda: up.images("doomed") == 300, "they are learned")
        with client.stream("GET", "/v1/streams/doomed/export?what=features&format=ndjson") as answer:
            client.delete("/v1/streams/doomed", params={"wait": 30})
            with pytest.raises(httpx.RemoteProtocolError):
                answer.read()
    assert get(up, "doomed/export", what="labels").status_code == 404
