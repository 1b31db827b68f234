"""The places of exports: a client that stops reading loses its own, and gets no more of the process that it held."""

import asyncio
import sys

from starlette.types import Message, Scope

from prequel.services.gateway.export_process import ExportProcess
from prequel.services.gateway.exports import MAX_EXPORTS, Export, Exports
from prequel.services.gateway.routes.exports import ExportResponse
from prequel.shared.exports import ExportRequest

REQUEST = ExportRequest(stream="pets", what="labels", format="csv")
SCOPE: Scope = {"type": "http", "asgi": {"spec_version": "2.4"}}
ENDLESS = """
import sys
def frame(data): sys.stdout.buffer.write(len(data).to_bytes(4) + data)
frame(b'{"position": "0:9", "examples": 1, "labelled": 1, "begin": 0, "begun": 0}')
while True: frame(b"x" * 1000)
"""


def endless(request: ExportRequest) -> ExportProcess:
    return ExportProcess([sys.executable, "-c", ENDLESS], {}, {}, request)


class Client:
    """Takes so many messages, and then none."""

    def __init__(self, takes: int) -> None:
        self.took, self._takes = 0, takes

    async def send(self, message: Message) -> None:
        if self.took == self._takes:
            await asyncio.Event().wait()
        self.took += 1

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


async def answer(export: Export, client: Client) -> None:
    await ExportResponse(export)(SCOPE, client.receive, client.send)


def test_a_client_that_stops_reading_frees_its_place_and_its_process() -> None:
    async def held_and_freed() -> list[int]:
        exports, clients = Exports(endless, reader_s=0.2), list[Client]()
        for takes in (1, 50):  # All places twice: the second time there are some only if the first are free again.
            held = [(await exports.open(REQUEST), Client(takes)) for _ in range(MAX_EXPORTS)]
            await asyncio.gather(*(answer(export, client) for export, client in held))
            clients += [client for _, client in held]
        exports.close()
        return [client.took for client in clients]

    assert asyncio.run(asyncio.wait_for(held_and_freed(), 60)) == [1, 1, 50, 50]
