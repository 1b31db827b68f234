"""Free ports and waiting for a server to answer."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

SLICE, SLICES = 2_000, 8
"""Every worker of pytest-xdist takes its ports from a slice of its own, of 15,000 to 30,999 in all. A slice has more
ports than the tests of one worker ever use."""


def _slice() -> range:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SLICES
    return range(15_000 + SLICE * number, 15_000 + SLICE * (number + 1))


def _candidates() -> Iterator[int]:
    """Each port of the slice once, from a start that differs between test runs which share the machine.

    The factor is about the golden section of a slice: processes of neighbouring ids begin far apart.
    """
    ports, begin = _slice(), os.getpid() * 1237
    return (ports[(begin + n) % SLICE] for n in range(SLICE))


_candidates_left = _candidates()


def free_port() -> int:
    """A port nobody listens on, below the range that outgoing connections take theirs from; never one twice.

    A server that is killed and started again needs its port back; from the ephemeral range another
    process may have taken it meanwhile.
    """
    for port in _candidates_left:
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("", port))  # on any address: deployments use more than one
            return port
    raise RuntimeError(f"all ports are used up: {_slice()}")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until ``condition()``; raises TimeoutError, which names ``what``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
