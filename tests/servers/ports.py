"""Free ports and waiting for a server to answer."""

import random
import socket
import time
from collections.abc import Callable
from contextlib import suppress


def free_port() -> int:
    """A port nobody listens on, below the range that outgoing connections take theirs from.

    A server that is killed and started again needs its port back; from the ephemeral range another
    process may have borrowed it meanwhile.
    """
    while True:
        port = random.SystemRandom().randrange(15_000, 32_000)
        with socket.socket() as claim, suppress(OSError):
            claim.bind(("127.0.0.1", port))
            return port


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(answers: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until ``answers()``; raises TimeoutError that says what did not happen."""
    deadline = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
