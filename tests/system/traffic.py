"""Digits of several streams through several gateways, with early, late, corrected and retracted labels."""

import threading
from collections.abc import Sequence

import httpx

from prequel.services.producer.sources.base import LoadedImage, Survey
from prequel.services.producer.sources.digits import Digits
from prequel.shared.log.base import Position
from tests.servers import plain_http
from tests.system.cluster import DEADLINE_S, Service

STREAMS = ("digits", "even", "odd", "pets", "zoo")
LATE = 25
"""Images between an image and its late label."""

WAY = ("with", "before", "after", "late", "corrected", "retracted", "never")
"""When the label of the n-th image is sent, and whether it is changed."""


class Traffic(threading.Thread):
    """Sends until it has sent ``count`` images; what is not acknowledged is sent again, to the next gateway.

    ``positions`` holds where each acknowledged image stands, ``truth`` what each will have been labelled in the end.
    """

    def __init__(self, gateways: Sequence[Service], count: int, *, seed: int = 0) -> None:
        super().__init__(name="traffic", daemon=True)
        self._gateways, self._count, self._seed = gateways, count, seed
        self._turn = 0
        self._ended = threading.Event()
        self._late: list[tuple[int, str, str, str | None]] = []
        self.positions: dict[tuple[str, str], Position] = {}
        self.truth: dict[tuple[str, str], str | None] = {}
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with plain_http.client(timeout=10.0) as http:
                self._http = http
                self._send_all()
        except BaseException as error:
            self.error = error

    def end(self) -> None:
        """Send no more than what belongs to the images sent, and return when that is acknowledged."""
        self._ended.set()
        self.wait()

    def wait(self) -> None:
        """Until everything is acknowledged."""
        self.join(DEADLINE_S)
        assert self.error is None, self.error
        assert not self.is_alive(), f"{len(self.positions)} images sent"

    @property
    def sent(self) -> int:
        assert self.error is None, self.error
        return len(self.positions)

    def _send_all(self) -> None:
        digits = Digits()
        entries = list(digits.images(Survey()))
        for number in range(self._count):
            if self._ended.is_set():
                break
            item = digits.load(entries[(number * 7 + self._seed) % len(entries)])
            self._send(number, STREAMS[number * 3 % len(STREAMS)], item)
            self._pay(number)
        self._pay(self._count + LATE)

    def _send(self, number: int, stream: str, item: LoadedImage) -> None:
        id, right = f"{item.id}.{self._seed}.{number}", item.label
        assert right
        wrong, way = str((int(right) + 1) % 10), WAY[number % len(WAY)]
        if way == "before" and number < len(STREAMS):
            way = "after"  # A stream begins with an image.
        if way == "before":
            self._label(stream, id, right)
        self.positions[stream, id] = self._image(stream, id, item.data, right if way == "with" else None)
        if way == "after":
            self._label(stream, id, right)
        if way in ("corrected", "retracted"):
            self._label(stream, id, wrong if way == "corrected" else right)
        if way in ("late", "corrected", "retracted"):
            self._late.append((number + LATE, stream, id, None if way == "retracted" else right))
        self.truth[stream, id] = None if way in ("retracted", "never") else right

    def _pay(self, number: int) -> None:
        """Send the late labels whose time has come."""
        while self._late and self._late[0][0] <= number:
            self._label(*self._late.pop(0)[1:])

    def _image(self, stream: str, id: str, data: bytes, label: str | None) -> Position:
        answer = self._post(
            f"/v1/streams/{stream}/images",
            content=data,
            params={"label": label} if label else {},
            headers={"Content-Type": "image/png", "Idempotency-Key": id},
        )
        return Position.parse(answer["position"])

    def _label(self, stream: str, id: str, label: str | None) -> None:
        self._post(f"/v1/streams/{stream}/labels", json={"id": id, "label": label})

    def _post(self, path: str, **request: object) -> dict[str, str]:
        pause = threading.Event()
        for _ in range(int(DEADLINE_S / 0.1)):
            self._turn += 1
            gateway = self._gateways[self._turn % len(self._gateways)]
            try:
                answer = self._http.post(f"{gateway.url}{path}", **request)  # type: ignore[arg-type]
            except httpx.TransportError:
                pause.wait(0.1)
                continue
            if answer.status_code < 300:
                return dict(answer.json())
            assert answer.status_code in (429, 502, 503, 504), answer.text
            pause.wait(0.1)
        raise TimeoutError(f"{path} was never acknowledged")
