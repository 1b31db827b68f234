"""The command `forget` with more images than one command can take."""

import io
from typing import Any, cast

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.forget import MAX_IDS, forget_images
from prequel.services.producer.confirmation import Confirmation
from prequel.services.producer.stream_changes import StreamChanges
from tests.producer.test_commands import STATUS


class Gateway:
    """Notes the commands that it is given, and says that all were applied."""

    def __init__(self) -> None:
        self.ids: list[list[str]] = []

    def check(self) -> None:
        """It is there."""

    def stream(self, stream: str) -> object:
        return STATUS

    def command(self, stream: str, command: dict[str, Any], wait_s: float) -> dict[str, Any]:
        self.ids.append(command["ids"])
        return {"status": "applied"}


def test_all_are_forgotten_each_once() -> None:
    gateway, output = Gateway(), io.StringIO()
    console = Console(file=output, width=500)
    changes = StreamChanges(
        client=cast(Client, gateway),
        stream="pets",
        console=console,
        confirmation=Confirmation(console, None, yes=True),
        new_id=lambda: "c",
        by="ann",
    )
    ids = [f"i{number}" for number in range(2 * MAX_IDS + 1)]
    assert forget_images(changes, [*ids, "i0"]) == 0
    assert [len(some) for some in gateway.ids] == [MAX_IDS, MAX_IDS, 1]
    assert [id for some in gateway.ids for id in some] == ids
    assert "2,001 images with features" in output.getvalue()
