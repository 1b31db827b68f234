"""A learner that stops itself (SIGSTOP) once, right before it writes a snapshot."""

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from prequel.services.learner.learner import Learner
from prequel.services.learner.models import registry
from prequel.shared.environment import from_environment
from prequel.shared.runtime.process import Process
from prequel.shared.runtime.signals import stop_on_signals
from prequel.shared.store.base import Fence, Fenced, Store


class Sleeper:
    """A Store that stops its process at the first swap after MARK.go exists, and writes the outcome to MARK.woke."""

    def __init__(self, store: Store, mark: Path) -> None:
        self._store, self._go, self._woke = store, mark.with_suffix(".go"), mark.with_suffix(".woke")

    def get(self, key: str) -> bytes | None:
        return self._store.get(key)

    def put(self, key: str, value: bytes) -> None:
        self._store.put(key, value)

    def put_all(self, values: Mapping[str, bytes]) -> None:
        self._store.put_all(values)

    def add_all(self, values: Mapping[str, bytes]) -> dict[str, bytes]:
        return self._store.add_all(values)

    def get_all(self, keys: Sequence[str]) -> dict[str, bytes]:
        return self._store.get_all(keys)

    def delete(self, keys: Sequence[str]) -> None:
        self._store.delete(keys)

    def keys(self, prefix: str) -> list[str]:
        return self._store.keys(prefix)

    def keys_with_values(self, prefix: str) -> list[str]:
        return self._store.keys_with_values(prefix)

    def acquire(self, key: str, fence: Fence) -> bytes | None:
        return self._store.acquire(key, fence)

    def swap(self, key: str, fence: Fence, value: bytes, delete: Sequence[str] = ()) -> None:
        if not self._go.exists() or self._woke.exists():
            self._store.swap(key, fence, value, delete)
            return
        # To this very thread: another that took the signal would leave this one time for the swap.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)
        try:
            self._store.swap(key, fence, value, delete)
        except Fenced:
            self._tell(f"fenced {key}")
            raise
        self._tell(f"written {key}")

    def _tell(self, what: str) -> None:
        """Written aside and renamed, so that whoever waits for the file never finds it empty."""
        begun = self._woke.with_suffix(".begun")
        begun.write_text(what)
        begun.replace(self._woke)

    def close(self) -> None:
        self._store.close()


def main() -> int:
    process = Process(from_environment(os.environ))
    process.store = Sleeper(process.store, Path(os.environ["SLEEPER_MARK"]))
    stop_on_signals(process.stop)

    def learn(address: str) -> Learner:
        learner = Learner(
            process.settings,
            log=process.log,
            store=process.store,
            registry=registry,
            metrics=process.metrics,
            clock=time.time,
            owner=f"sleeper-{os.getpid()}",
            address=address,
        )
        seconds = process.settings.checkpoint_seconds
        process.health.waits("learner", "joining its group")
        process.start("learner", lambda: process.run_processor(learner, checkpoint_seconds=seconds))
        return learner

    return process.run_service(learn)


if __name__ == "__main__":
    sys.exit(main())
