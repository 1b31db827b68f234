"""The client of a running Prequel, as programs and notebooks use it."""

import threading
from typing import Self

from prequel.services.cli import composition
from prequel.services.producer.client import Client as GatewayClient
from prequel.services.producer.errors import RequestRefused
from prequel.shared.runtime.deadlines import PRODUCER_RETRY_S
from prequel.shared.status import StreamStatus

NOT_FOUND = 404


class Client:
    """Calls of a gateway. Safe from several threads; close it, or use it in a ``with`` statement.

    ``api_key`` is one of the gateway's PREQUEL_API_KEYS; without it that variable of this process is used. A gateway
    that is unavailable is asked again for ``timeout_s`` seconds, as while it restarts. Each method blocks, and raises
    PrequelError.

    >>> import prequel
    >>> with prequel.Client(url) as client:
    ...     sorted(status.stream for status in client.streams())
    ['colours']
    """

    def __init__(
        self, url: str = "http://127.0.0.1:8000", *, api_key: str | None = None, timeout_s: float = PRODUCER_RETRY_S
    ) -> None:
        self._closing = threading.Event()
        self._gateway: GatewayClient = composition.connect_client(url, api_key, self._closing, timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self._gateway.url!r})"

    def close(self) -> None:
        """End all calls of other threads, and free the connections."""
        self._closing.set()
        self._gateway.close()

    def streams(self) -> list[StreamStatus]:
        """The status of every stream."""
        return self._gateway.streams()

    def status(self, stream: str) -> StreamStatus:
        """The status of one stream. Raises RequestRefused (404) where there is none of this name."""
        status = self._gateway.stream(stream)
        if status is None:
            raise RequestRefused(NOT_FOUND, f"there is no stream {stream!r}: it begins with its first example")
        return status
