"""Real Prequel processes for tests: started, asked, killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import httpx

from prequel.services.producer.sources.base import Survey
from prequel.services.producer.sources.digits import Digits
from tests.servers import plain_http
from tests.servers.ports import free_port as free_port  # others have it from here

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 300.0


def eventually(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition in another process, by polling."""
    end, pause = time.monotonic() + deadline_s, threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        pause.wait(0.02)


def scanned(folder: Path, count: int) -> Path:
    """The first of scikit-learn's digits, in one folder a class."""
    source = Digits()
    for entry in list(source.images(Survey()))[:count]:
        path = folder / str(entry.label) / Path(entry.name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(source.load(entry).data)
    return folder


class Up:
    """`prequel up` on a folder; it can be killed and started again, at the same address."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PREQUEL_")}
        self.environment = environment | {"PREQUEL_DATA": str(folder), "PREQUEL_PORT": str(self.port)}
        self.environment["PYTHONFAULTHANDLER"] = "1"  # on SIGABRT, one that hangs shows where
        self.environment |= settings or {}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Up":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with (self.folder.parent / f"{self.folder.name}.out").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services", "up"], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def terminate(self, number: int = signal.SIGTERM) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(DEADLINE_S)

    @property
    def output(self) -> str:
        return (self.folder.parent / f"{self.folder.name}.out").read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another command on the same folder and address."""
        command = [sys.executable, "-m", "services", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )

    def begin(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """The same, without waiting for its end."""
        command = [sys.executable, "-m", "services", *arguments]
        return subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL)

    def ready(self) -> bool:
        try:
            return plain_http.get(f"{self.url}/readyz", timeout=10).status_code == 200
        except httpx.TransportError:
            return False

    def images(self, stream: str) -> int:
        """Examples learned by now, 0 while nobody answers."""
        try:
            answer = plain_http.get(f"{self.url}/v1/streams/{stream}", timeout=30)
        except httpx.TransportError:
            return 0
        return int(answer.json()["images"]) if answer.status_code == 200 else 0
