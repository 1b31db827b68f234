"""Measures replays: a back-test beside the bare fold of the same events, and what it takes from the live learner."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from statistics import mean, median

import httpx
from rich.console import Console
from threadpoolctl import threadpool_limits

from benchmarks.end_to_end import cpu_seconds
from benchmarks.fold import BATCH, features, labelled_records, unread_log
from prequel.services.learner.fold.config import fold_config
from prequel.services.learner.fold.feature_cache import FeatureCache
from prequel.services.learner.fold.partition import Fold
from prequel.services.learner.models import registry
from prequel.services.learner.replay.backtests.job import KIND, BacktestJob
from prequel.services.learner.replay.backtests.replaying import backtest
from prequel.services.learner.replay.jobs.base import Job, JobContext
from prequel.services.learner.replay.plan import plan_of
from prequel.shared.config import Settings
from prequel.shared.log.base import Log, Message, Record
from prequel.shared.model_specs import split_outside
from prequel.shared.runtime.backends import open_log, open_store
from tests.servers.ports import free_port

STREAM = "bench"
PAIRS = ("mix,logistic", "logistic,softmax", "slda,ridge")
CHALLENGERS = ["slda", "ridge"]
"""Tried beside the live learner."""
MAX_BACKTESTS = 10
"""As many as wait: one begins when another has ended."""
TURN_S, SETTLE_S, MAX_TURNS = 2.0, 0.3, 40
"""A turn is several times as long as what a learner says of its position is old; before each, that time passes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--live-events", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--live-only", action="store_true")
    arguments = parser.parse_args()
    vectors, labels = features(None, arguments.live_events)
    records = list(labelled_records(vectors, labels))
    console = Console(soft_wrap=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate({"data": folder, "models": "mix,logistic"})
        with closing(open_log(settings)) as log:
            write(log, records)
            for models in () if arguments.live_only else PAIRS:
                console.print(beside_the_fold(settings, log, records[: arguments.events], models, arguments.rounds))
        console.print(beside_the_learner(Path(folder), arguments.live_events))


def write(log: Log, records: list[Record]) -> None:
    for at in range(0, len(records), BATCH):
        log.append([Message(r.topic, r.key, r.value, r.headers) for r in records[at : at + BATCH]])


def beside_the_fold(settings: Settings, log: Log, records: list[Record], models: str, rounds: int) -> str:
    """Processor time of both, one after the other: how long they wait says how busy the machine is."""
    for spec in split_outside(models, ","):
        registry.compile(spec, 8)
    chosen = settings.model_copy(update={"models": models})
    bare, replayed = list[float](), list[float]()
    with threadpool_limits(1), closing(open_store(settings)) as store:
        for _ in range(rounds):
            fold = Fold(fold_config(chosen), registry, FeatureCache(unread_log(), 20_000, 2**29), position=0)
            began = time.process_time()
            for at in range(0, len(records), BATCH):
                fold.apply(records[at : at + BATCH])
            bare.append(time.process_time() - began)
            plan = plan_of(fold, fold.streams[STREAM], 0)._replace(models=tuple(split_outside(models, ",")))
            job = BacktestJob(plan=plan, begin=0, end=len(records), classes=(), backbone=("", 0))
            context = JobContext(settings=settings, log=log, store=store, registry=registry)
            began = time.process_time()
            backtest(Job(KIND, job.as_json()), context, lambda done, total: None)
            replayed.append(time.process_time() - began)
    shares = [fold_s / replay_s for fold_s, replay_s in zip(bare, replayed, strict=True)]
    return (
        f"{models}: the bare fold {len(records) / median(bare):,.0f} events/s, a back-test "
        f"{len(records) / median(replayed):,.0f}: {median(shares):.2f} of it ({min(shares):.2f} to {max(shares):.2f})"
    )


def beside_the_learner(folder: Path, events: int) -> str:
    """Records a second of a learner that is behind, while a back-test runs and while its process is stopped, in turn.

    Short turns, many of them: so that whatever else the machine does is in both.
    """
    running, stopped = Turns(), Turns()
    with learner(folder) as (ops, pid):
        while position(ops) < events / 10:  # It has begun, and there is something to replay.
            time.sleep(0.1)
        for number in range(MAX_BACKTESTS):
            request = {"stream": STREAM, "id": f"b{number}", "models": CHALLENGERS}
            ops.post("/backtests/start", json=request).raise_for_status()
        while not children(pid):
            time.sleep(0.1)
        while position(ops) < 0.9 * events and len(running.rates) < MAX_TURNS:
            running.add(ops, pid, signal.SIGCONT)
            stopped.add(ops, pid, signal.SIGSTOP)
    return (
        f"live, mix,logistic: {stopped.rate:,.0f} events/s, {running.rate:,.0f} while a back-test runs: "
        f"{running.rate / stopped.rate:.2f} of it (in {2 * len(running.rates)} turns of {TURN_S:g} s); "
        f"by the learner's processor time {running.efficiency / stopped.efficiency:.2f}"
    )


class Turns:
    """The records that a learner folded in some turns."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self._records = self._cpu_s = 0.0

    @property
    def rate(self) -> float:
        return mean(self.rates)

    @property
    def efficiency(self) -> float:
        """Records in a second of the learner's processor time: what others do to it by memory and caches."""
        return self._records / self._cpu_s

    def add(self, ops: httpx.Client, learner: int, number: signal.Signals) -> None:
        """One turn; the signal goes to the processes of the learner's jobs."""
        for pid in children(learner):
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        time.sleep(SETTLE_S)
        began, cpu_s, first = time.perf_counter(), cpu_seconds(learner), position(ops)
        time.sleep(TURN_S)
        records = position(ops) - first
        self.rates.append(records / (time.perf_counter() - began))
        self._records += records
        self._cpu_s += cpu_seconds(learner) - cpu_s


def children(pid: int) -> list[int]:
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return list(map(int, done.stdout.split()))


@contextmanager
def learner(folder: Path) -> Iterator[tuple[httpx.Client, int]]:
    """A learner on the folder, in a process of its own: a client of its operations server, and its id."""
    port = free_port()
    environment = os.environ | {"PREQUEL_DATA": str(folder), "PREQUEL_OPS_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "prequel.services", "learner"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as client:
            while not position(client):
                time.sleep(0.1)
            yield client, process.pid
    finally:
        process.kill()
        process.wait()


def position(ops: httpx.Client) -> float:
    """The next record that it folds; 0 before it has begun."""
    try:
        text = ops.get("/metrics").text
    except httpx.TransportError:
        return 0.0
    line = next((each for each in text.splitlines() if each.startswith("prequel_learner_position{")), " 0")
    return float(line.rpartition(" ")[2])


if __name__ == "__main__":
    main()
