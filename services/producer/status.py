"""The command `status`: what there is to know of one stream, or of all."""

import json
from typing import Any

from rich.console import Console
from rich.table import Table

from services.producer.client import Client
from services.producer.report import check_stream, say
from services.producer.sources import ProducerError


def show_status(client: Client, stream: str | None, as_json: bool, console: Console) -> int:
    """Print the status of one stream, or of all. Raises ProducerError."""
    client.check()
    streams = client.streams() if stream is None else _one(client, stream)
    if as_json:
        print(json.dumps(streams if stream is None else streams[0], indent=2), file=console.file)
    elif not streams:
        say(console, "no stream yet: make one with `prequel stream SOURCE --stream NAME`")
    else:
        console.print(_overview(streams))
        for each in streams if stream else []:
            console.print(_models(each))
    return 0


def _one(client: Client, stream: str) -> list[dict[str, Any]]:
    check_stream(stream)
    found = client.stream(stream)
    if found is None:
        raise ProducerError(f"there is no stream {stream} yet; `prequel status` lists all")
    return [found]


def _overview(streams: list[dict[str, Any]]) -> Table:
    table = Table("stream", box=None)
    for heading in ("images", "labelled", "pending", "classes", "accuracy", "lately"):
        table.add_column(heading, justify="right")
    table.add_column("champion")
    table.add_column("backbone")
    for each in streams:
        champion = each["models"][each["champion"]]
        counts = [each["images"], each["labelled"], each["pending"], len(each["labels"])]
        scores = [champion["accuracy"], champion["window_accuracy"]]
        table.add_row(
            each["stream"],
            *(f"{count:,}" for count in counts),
            *map(_score, scores),
            each["champion"],
            each["backbone"],
        )
    return table


def _models(status: dict[str, Any]) -> Table:
    table = Table("model", box=None)
    for heading in ("scored", "accuracy", "lately", "kappa", "log loss"):
        table.add_column(heading, justify="right")
    for name, model in status["models"].items():
        scores = [model[each] for each in ("accuracy", "window_accuracy", "kappa", "log_loss")]
        table.add_row(name, f"{model['scored']:,}", *map(_score, scores))
    return table


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
