"""Back-tests of a real process: killed, interrupted, restarted, two at once; what is left behind is nothing."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import numpy as np
import orjson
import pytest

from prequel.shared.backtests import BacktestResult
from prequel.shared.events.features import encode_features
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Image
from prequel.shared.log.base import Message, Position
from prequel.shared.log.sqlite.log import SqliteLog
from prequel.shared.status import ModelStatus
from tests.e2e.processes import Up, eventually
from tests.servers import plain_http

EXAMPLES, DIM = 1_500, 64
"""A replay of them with three models takes more than a second of processor time, ten times what it takes to see that it
runs and to kill it."""
URL = "/v1/streams/past/backtests"
SLOW = ["ridge", "mix"]


@pytest.fixture(scope="module")
def past() -> list[Message]:
    """A stream of two classes whose labels came 50 examples late."""
    random = np.random.default_rng(1)
    truths = random.integers(2, size=EXAMPLES)
    centres = random.normal(size=(2, DIM)) / 4
    vectors = (centres[truths] + random.normal(size=(EXAMPLES, DIM))).astype(np.float32)
    messages = []
    for number in range(EXAMPLES):
        image = Image(f"i{number}", "past", None, 1.7e9 + number, b"", Position(0, number))
        messages.append(encode_features(image, vectors[number], "compact-x", source="test"))
        if number >= 50:
            late, label = number - 50, "ab"[truths[number - 50]]
            messages.append(
                encode_label(
                    "past", f"i{late}", label, by="test", time=1.7e9, event_id=f"l{late}", source="test", why=""
                )
            )
    return messages


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, past: list[Message]) -> Iterator[Up]:
    """One process for all of these tests, which may start it again."""
    tmp_path = tmp_path_factory.mktemp("backtests")
    with closing(SqliteLog(tmp_path / "data" / "log")) as log:
        for start in range(0, len(past), 2_000):
            log.append(past[start : start + 2_000])
    with Up(tmp_path / "data", {"PREQUEL_MODELS": "ncm", "PREQUEL_CHECKPOINT_SECONDS": "0.5"}) as started:
        eventually(lambda: started.images("past") == EXAMPLES, "the past is learned")
        yield started


def call(up: Up, method: str, path: str = "", **options: Any) -> Any:
    with plain_http.client(up.url, timeout=30) as client:
        answer = client.request(method, URL + path, **options)
    assert answer.status_code < 300, answer.text
    return answer.json()


def begin(up: Up, models: list[str]) -> str:
    return str(call(up, "POST", json={"models": models})["id"])


def status(up: Up, id: str) -> str:
    """Empty where the machine is so busy that the store does not answer in time."""
    with plain_http.client(up.url, timeout=30) as client:
        answer = client.get(f"{URL}/{id}")
    assert answer.status_code in (200, 503), answer.text
    return str(answer.json()["status"]) if answer.status_code == 200 else ""


def jobs(parent: int | None = None) -> list[int]:
    """The processes of jobs on this machine that are not zombies, of one parent or of all of this folder's tests."""
    done = subprocess.run(["ps", "-wweo", "pid=,ppid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    return [
        int(pid)
        for pid, ppid, stat, args in (row for row in rows if len(row) == 4)
        if "prequel.services run-job" in args and stat[0] != "Z" and (parent is None or int(ppid) == parent)
    ]


def gone(pids: list[int]) -> bool:
    return not set(pids) & set(jobs())


def running(up: Up, id: str) -> list[int]:
    """The process of a back-test, once it reads."""
    eventually(lambda: call(up, "GET", f"/{id}")["progress"] > 0, "the replay has begun")
    pids = jobs(up.pid)
    assert len(pids) == 1
    return pids


def test_the_result_is_what_the_live_stream_says_of_its_champion(up: Up) -> None:
    done = up.run("backtest", "past", "--models", "slda,logistic", "--url", up.url, "--json")
    assert done.returncode == 0, done.stderr
    result = BacktestResult.model_validate(orjson.loads(done.stdout)["result"])
    live = plain_http.get(f"{up.url}/v1/streams/past", timeout=30).json()["models"]["ncm"]
    assert result.models["ncm"] == ModelStatus.model_validate(live)
    assert (result.images, result.labelled) == (EXAMPLES, EXAMPLES - 50)
    shown = up.run("backtest", "past", "--models", "slda", "--last", "500", "--url", up.url)
    assert "500 images with 450 labels" in shown.stdout
    assert jobs(up.pid) == []


def test_a_killed_replay_fails_and_the_learner_goes_on(up: Up) -> None:
    id = begin(up, SLOW)
    (pid,) = running(up, id)
    assert os.getpriority(os.PRIO_PROCESS, pid) == 19
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: status(up, id) == "failed", "it has failed")
    assert call(up, "GET", f"/{id}")["why"] == "the process of the job was killed, perhaps because memory was short"
    assert up.ready()
    again = begin(up, ["slda"])
    eventually(lambda: status(up, again) == "done", "the next one is done")


def test_ctrl_c_and_delete_end_the_process(up: Up) -> None:
    id = begin(up, SLOW)
    pids = running(up, id)
    assert call(up, "DELETE", f"/{id}")["status"] == "cancelled"
    assert gone(pids)
    command = up.begin("backtest", "past", "--models", ",".join(SLOW), "--url", up.url)
    eventually(lambda: any(each["status"] == "running" for each in call(up, "GET")["backtests"]), "it runs")
    pids = jobs(up.pid)
    command.send_signal(signal.SIGINT)
    assert command.wait(60) == 130
    eventually(lambda: gone(pids), "its process has ended")
    assert call(up, "GET")["backtests"][0]["status"] == "cancelled"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_one_runs_and_others_wait_until_their_learner_has_ended_and_the_next_goes_on(
    up: Up, how: signal.Signals
) -> None:
    id, other = begin(up, SLOW), begin(up, ["slda"])
    pids = running(up, id)
    assert status(up, other) == "waiting"
    if how == signal.SIGKILL:
        up.kill()
    else:
        assert up.terminate() == 0
    eventually(lambda: gone(pids), "its process has ended")
    up.start()
    eventually(up.ready, "ready")
    eventually(lambda: status(up, id) == status(up, other) == "done", "both are done")
    assert call(up, "GET", f"/{id}")["result"]["images"] == EXAMPLES
    assert jobs(up.pid) == []
