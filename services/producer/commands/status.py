"""The command `status`: the status of one stream, or of all, and of the log."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from prequel.services.producer.client import Client, Overview
from prequel.services.producer.errors import ProducerError
from prequel.services.producer.evidence import label_order_lines, sample_lines, unscored_lines, verdict_lines
from prequel.services.producer.report import check_stream, print_lines
from prequel.services.producer.tables import aligned, score
from prequel.shared.status import ModelStatus, StreamStatus
from prequel.shared.units import format_bytes, format_seconds


def show_status(client: Client, stream: str | None, *, as_json: bool, console: Console) -> int:
    """Print the status of one stream, or of all. Raises ProducerError."""
    if stream is not None:
        check_stream(stream)
    client.check()
    if as_json:
        print(json.dumps(_json(client, stream), indent=2), file=console.file)
        return 0
    overview = client.overview() if stream is None else Overview([_one(client, stream)], None)
    if not overview.streams:
        print_lines(console, "no streams yet: create one with `prequel stream SOURCE --stream NAME`")
    else:
        print_lines(console, *_stream_table(overview.streams))
        if stream:
            status = overview.streams[0]
            print_lines(console, "", *model_table(status.models), *_evidence_lines(status), *_backbone_lines(status))
    if overview.log:
        print_lines(console, "", *_log_table(overview.log))
    return 0


def _json(client: Client, stream: str | None) -> Any:
    if stream is None:
        return client.overview_json()["streams"]
    answer = client.stream_json(stream)
    if answer is None:
        raise _no_stream(stream)
    return answer


def _one(client: Client, stream: str) -> StreamStatus:
    status = client.stream(stream)
    if status is None:
        raise _no_stream(stream)
    return status


def _no_stream(stream: str) -> ProducerError:
    return ProducerError(f"there is no stream {stream} yet; `prequel status` lists all")


def _stream_table(statuses: Sequence[StreamStatus]) -> list[str]:
    rows = [["stream", "images", "labelled", "pending", "classes", "accuracy", "recent", "champion", "backbone"]]
    for status in statuses:
        champion = status.models[status.champion]
        counts = (status.images, status.labelled, status.pending, len(status.labels))
        scores = (champion.accuracy, champion.window_accuracy)
        numbers = [*(f"{count:,}" for count in counts), *map(score, scores)]
        rows.append([status.stream, *numbers, status.champion, status.backbone])
    return aligned(rows, right=range(1, 7))


def model_table(models: Mapping[str, ModelStatus]) -> list[str]:
    """Lines of a table: what each model was scored on, and how well."""
    rows = [["model", "scored", "accuracy", "95 % interval", "recent", "kappa", "log loss"]]
    for name, model in models.items():
        interval = f"{model.interval[0]:.4f} to {model.interval[1]:.4f}" if model.interval else "-"
        scores = map(score, (model.window_accuracy, model.kappa, model.log_loss))
        rows.append([name, f"{model.scored:,}", score(model.accuracy), interval, *scores])
    return aligned(rows, right=range(1, 7))


def _evidence_lines(status: StreamStatus) -> list[str]:
    lines = [*unscored_lines(status), *verdict_lines(status), *sample_lines(status), *label_order_lines(status)]
    return ["", *lines] if lines else []


def _backbone_lines(status: StreamStatus) -> list[str]:
    lines = [
        f"features of {backbone}: {count:,} (prequel switch {status.stream} {backbone})"
        for backbone, count in status.other_features.items()
    ]
    return ["", *lines] if lines else []


def _log_table(log: dict[str, Any]) -> list[str]:
    rows = [["topic", "records", "size", "oldest", "kept", ""]]
    for topic in log["topics"]:
        size = "-" if topic["bytes"] is None else format_bytes(topic["bytes"])
        age = topic.get("age_seconds")  # missing in the answers of earlier versions
        oldest = "-" if age is None else format_seconds(age)
        rows.append([topic["topic"], f"{topic['records']:,}", size, oldest, topic["retention"], topic["held"]])
    lines = [*aligned(rows, right=range(1, 4)), f"(measured {log.get('age_seconds', 0):.0f} s ago)"]
    return [*lines, *([f"warning: {log['warning']}"] if log["warning"] else [])]
