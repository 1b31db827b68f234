"""The command `streams`: a line for each stream."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.report import print_lines
from prequel.services.producer.tables import aligned, score
from prequel.shared.status import StreamStatus


def show_streams(client: Client, *, as_json: bool, console: Console) -> int:
    """Print name, images, labels, accuracy and champion of every stream. Raises ProducerError."""
    client.check()
    statuses = client.streams()
    if as_json:
        print(json.dumps([_row(status) for status in statuses], indent=2), file=console.file)
    elif statuses:
        print_lines(console, *_table(statuses))
    else:
        print_lines(console, "no streams yet: create one with `prequel stream SOURCE --stream NAME`")
    return 0


def _row(status: StreamStatus) -> dict[str, Any]:
    champion = status.models.get(status.champion)
    return {
        "stream": status.stream,
        "title": status.title,
        "images": status.images,
        "labelled": status.labelled,
        "accuracy": champion.accuracy if champion else None,
        "champion": status.champion,
    }


def _table(statuses: Sequence[StreamStatus]) -> list[str]:
    titled = any(status.title for status in statuses)
    rows = [["stream", "images", "labelled", "accuracy", "champion", *(["title"] if titled else [])]]
    for row in map(_row, statuses):
        counts = [f"{row['images']:,}", f"{row['labelled']:,}", score(row["accuracy"])]
        rows.append([row["stream"], *counts, row["champion"], *([row["title"]] if titled else [])])
    return aligned(rows, right=range(1, 4))
