"""Claim: the embedded log writes and reads within 25 % of a bare sqlite3 loop, and wakes a reader within milliseconds.

``python -m benchmarks.sqlite_log [--records N] [--rounds N]``: all take turns in one run, on one disk, with the same
8 KB values, synchronous=FULL, batches of 100. The bare loop has no headers; Prequel is run without and with those of a
feature event. Rates are medians of the rounds, ratios those of each round to the bare loop's next to it.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from prequel.shared.log.base import Headers, Message
from prequel.shared.log.sqlite.log import SqliteLog

VALUE = os.urandom(8192)
BATCH = 100
HEADERS: Headers = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"01234567-89ab-cdef-0123-456789abcdef"),
    ("ce_source", b"prequel/extractor"),
    ("ce_type", b"prequel.features.v1"),
    ("ce_time", b"2025-01-01T00:00:00.000Z"),
    ("content-type", b"application/octet-stream"),
    ("ce_backbone", b"compact:avg:32:0123456789abcdef"),
    ("ce_dim", b"2048"),
    ("ce_image", b"0:123456"),
)


class Bare:
    """The minimum that sqlite3 needs: one table, executemany, fetchmany."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("CREATE TABLE log (offset INTEGER PRIMARY KEY, at REAL, key BLOB, value BLOB)")
        self._end = 0

    def write(self, count: int) -> None:
        for _ in range(0, count, BATCH):
            rows = [(self._end + n, time.time(), b"pets", VALUE) for n in range(BATCH)]
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO log VALUES (?, ?, ?, ?)", rows)
            self._connection.execute("COMMIT")
            self._end += BATCH

    def read(self) -> int:
        count = 0
        query = "SELECT * FROM log WHERE offset >= ? ORDER BY offset LIMIT 1000"
        while rows := self._connection.execute(query, (count,)).fetchall():
            count += len(rows)
        return count


class PrequelLog:
    def __init__(self, folder: Path, headers: Headers) -> None:
        self.log = SqliteLog(folder)
        self._headers = headers

    def write(self, count: int) -> None:
        for _ in range(0, count, BATCH):
            self.log.append([Message("examples", b"pets", VALUE, self._headers) for _ in range(BATCH)])

    def read(self) -> int:
        reader, count = self.log.follow("examples", {0: 0}), 0
        while records := reader.poll(1000, 0.0):
            count += len(records)
        return count


def rate(count: int, work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return count / (time.perf_counter() - began)


def throughput(folder: Path, records: int, rounds: int) -> None:
    bare = Bare(folder / "bare.sqlite")
    plain, event = PrequelLog(folder / "plain", ()), PrequelLog(folder / "event", HEADERS)
    contenders: dict[str, Bare | PrequelLog] = {"bare sqlite3": bare, "Prequel": plain, "Prequel, 9 headers": event}
    writes: dict[str, list[float]] = {name: [] for name in contenders}
    reads: dict[str, list[float]] = {name: [] for name in contenders}
    for name, contender in [*contenders.items()] * rounds:
        writes[name].append(rate(records, partial(contender.write, records)))
    for name, contender in [*contenders.items()] * rounds:
        reads[name].append(rate(rounds * records, contender.read))
    for verb, rates in (("write", writes), ("read", reads)):
        for name, own in rates.items():
            ratio = statistics.median(a / b for a, b in zip(own, rates["bare sqlite3"], strict=True))
            print(f"{verb:6}{name:16}{statistics.median(own):9,.0f}/s{ratio:7.2f}")
    offsets = list(range(0, rounds * records, 7))[:5000]
    single = rate(len(offsets), lambda: event.log.read("examples", 0, offsets))
    print(f"read  by position   {single:9,.0f}/s")
    for log in (plain, event):
        log.log.close()


def together(folder: Path, threads: int, each: int) -> None:
    """Threads that append one record at a time share transactions: more of them cost less each."""
    log = SqliteLog(folder)
    log.append([Message("examples", b"pets", VALUE)])

    def append() -> None:
        for _ in range(each):
            log.append([Message("examples", b"pets", VALUE)])

    def run(count: int) -> None:
        running = [threading.Thread(target=append) for _ in range(count)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    for count in (1, threads):
        print(f"append one by one from {count:2} threads {rate(count * each, partial(run, count)):9,.0f}/s")
    log.close()


def idle(folder: Path, seconds: float) -> None:
    """What a reader and a group member cost while nothing happens, in percent of a core."""
    log = SqliteLog(folder)
    log.append([Message("examples", b"pets", VALUE)])
    reader, member = log.follow("examples", {0: 1}), log.join("group", "examples")
    member.poll(1, 0.0)
    for name, opened in (("reader", reader), ("member", member)):
        opened.poll(1, 6.0)
        began = time.thread_time()
        opened.poll(1, seconds)
        print(f"idle {name} {100 * (time.thread_time() - began) / seconds:.2f} % of a core")
    log.close()


def latency(folder: Path, count: int) -> None:
    """Seconds from before an append until the reader has the record, one at a time on an idle log."""
    log = SqliteLog(folder)
    log.append([Message("examples", b"pets", VALUE)])
    source = f"import benchmarks.sqlite_log as b; b.remote({str(folder)!r}, {count})"
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        within = local(log, count)
        across = [float(line) for line in process.stdout]
    log.close()
    rows = {"append alone": within[0], "append to reader, one process": within[1], "append to reader, across": across}
    for name, times in rows.items():
        late = statistics.quantiles(times, n=20)[-1]
        print(f"{name:32}p50 {1000 * statistics.median(times):6.2f} ms   p95 {1000 * late:6.2f} ms")


def local(log: SqliteLog, count: int) -> tuple[list[float], list[float]]:
    alone: list[float] = []
    waited: list[float] = []

    def follow() -> None:
        reader = log.follow("examples", {0: log.bounds("examples")[0].end})
        ready.set()
        while len(waited) < count:
            for record in reader.poll(10, 5.0):
                waited.append(time.time() - float(record.value))

    ready = threading.Event()
    following = threading.Thread(target=follow)
    following.start()
    ready.wait()
    for _ in range(count):
        time.sleep(0.05)
        began = time.time()
        log.append([Message("examples", b"pets", repr(began).encode())])
        alone.append(time.time() - began)
    following.join()
    return alone, waited


def remote(folder: str, count: int) -> None:
    log = SqliteLog(Path(folder))
    reader = log.follow("examples", {0: log.bounds("examples")[0].end})
    print("ready", flush=True)
    while count > 0:
        for record in reader.poll(10, 5.0):
            print(time.time() - float(record.value), flush=True)
            count -= 1
    log.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000, help="written per round")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        throughput(Path(folder), arguments.records, arguments.rounds)
        together(Path(folder) / "together", 32, 100)
        latency(Path(folder) / "latency", 60)
        idle(Path(folder) / "idle", 5.0)


if __name__ == "__main__":
    main()
