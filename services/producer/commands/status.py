"""The command `status`: what there is to know of one stream, or of all."""

import json
from collections.abc import Container, Sequence
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.report import check_stream, say
from prequel.services.producer.sources.base import ProducerError
from prequel.shared.units import format_bytes, format_seconds


def show_status(client: Client, stream: str | None, as_json: bool, console: Console) -> int:
    """Print the status of one stream, or of all. Raises ProducerError."""
    if stream is not None:
        check_stream(stream)
    client.check()
    overview: dict[str, Any] = client.overview() if stream is None else {"streams": _one(client, stream)}
    streams = overview["streams"]
    if as_json:
        print(json.dumps(streams if stream is None else streams[0], indent=2), file=console.file)
    elif not streams:
        say(console, "no stream yet: make one with `prequel stream SOURCE --stream NAME`")
    else:
        say(console, *_overview(streams))
        if stream:
            say(console, "", *_models(streams[0]))
    if not as_json and overview.get("log"):
        say(console, "", *_log(overview["log"]))
    return 0


def _one(client: Client, stream: str) -> list[dict[str, Any]]:
    found = client.stream(stream)
    if found is None:
        raise ProducerError(f"there is no stream {stream} yet; `prequel status` lists all")
    return [found]


def _overview(streams: list[dict[str, Any]]) -> list[str]:
    rows = [["stream", "images", "labelled", "pending", "classes", "accuracy", "lately", "champion", "backbone"]]
    for each in streams:
        champion = each["models"][each["champion"]]
        counts = [each["images"], each["labelled"], each["pending"], len(each["labels"])]
        scores = [champion["accuracy"], champion["window_accuracy"]]
        rows.append(
            [
                each["stream"],
                *(f"{count:,}" for count in counts),
                *map(_score, scores),
                each["champion"],
                each["backbone"],
            ]
        )
    return _aligned(rows, range(1, 7))


def _models(status: dict[str, Any]) -> list[str]:
    rows = [["model", "scored", "accuracy", "lately", "kappa", "log loss"]]
    for name, model in status["models"].items():
        scores = [model[each] for each in ("accuracy", "window_accuracy", "kappa", "log_loss")]
        rows.append([name, f"{model['scored']:,}", *map(_score, scores)])
    return _aligned(rows, range(1, 6))


def _log(log: dict[str, Any]) -> list[str]:
    rows = [["topic", "records", "size", "oldest", "kept", ""]]
    for each in log["topics"]:
        size = "-" if each["bytes"] is None else format_bytes(each["bytes"])
        age = each.get("age_seconds")  # A gateway of an earlier version does not tell.
        oldest = "-" if age is None else format_seconds(age)
        rows.append([each["topic"], f"{each['records']:,}", size, oldest, each["retention"], each["held"]])
    lines = [*_aligned(rows, range(1, 4)), f"(measured {log.get('age_seconds', 0):.0f} s ago)"]
    return [*lines, *([f"warning: {log['warning']}"] if log["warning"] else [])]


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _aligned(rows: Sequence[Sequence[str]], right: Container[int]) -> list[str]:
    """Lines of columns as wide as they need to be, however wide the terminal is: they can be cut and searched."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number in right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
