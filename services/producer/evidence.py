"""What a stream's numbers say, in lines for people: how sure they are, which model is better, and when they flatter."""

import shlex

from prequel.shared.status import Interval, StreamStatus


def accuracy_lines(status: StreamStatus | None) -> list[str]:
    """The champion's accuracy, and what to know before one believes it; nothing before the first scored label."""
    champion = status.models[status.champion] if status else None
    if status is None or champion is None or champion.accuracy is None or champion.window_accuracy is None:
        return []
    line = (
        f"accuracy {champion.accuracy:.4f} since the stream began{_interval(champion.interval)}, "
        f"{champion.window_accuracy:.4f} recently ({status.champion})"
    )
    return [line, *sample_lines(status), *label_order_lines(status), *verdict_lines(status, only="better")]


def label_order_lines(status: StreamStatus) -> list[str]:
    """That labels come class after class, where they do, and what that means."""
    if status.label_order is None or status.label_order.mixed:
        return []
    return [f"{status.label_order.text} Accuracy flatters then: to repeat the last label is nearly always right."]


def sample_lines(status: StreamStatus) -> list[str]:
    """The champion's accuracy over labels of images that were chosen at random, where there are any."""
    sample = status.random_sample
    if sample is None:
        return []
    accuracy = f"accuracy {sample.accuracy:.4f}{_interval(sample.interval)}"
    return [f"{accuracy} over the {sample.labelled:,} labels of images that were chosen at random"]


def verdict_lines(status: StreamStatus, only: str = "") -> list[str]:
    """The sentence on each challenger, or ``only`` on those of one verdict; of a better one, also how it may answer."""
    lines = []
    for challenger, verdict in status.verdicts.items():
        order = shlex.quote(",".join([challenger, *(model for model in status.models if model != challenger)]))
        remedy = f" To let it answer: PREQUEL_MODELS={order}" if verdict.verdict == "better" else ""
        lines += [f"{verdict.text}{remedy}"] if only in ("", verdict.verdict) else []
    return lines


def _interval(interval: Interval | None) -> str:
    return f" (95 %: {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
