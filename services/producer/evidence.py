"""What a stream's numbers say, in lines for people: how sure they are, which model is better, and when they flatter."""

import shlex

from prequel.shared.status import Interval, StreamStatus


def accuracy_lines(status: StreamStatus | None) -> list[str]:
    """The champion's accuracy, or why there is none yet, and what to know before one believes it."""
    if status is None:
        return []
    champion = status.models[status.champion]
    if champion.accuracy is None or champion.window_accuracy is None:
        return unscored_lines(status)
    line = (
        f"accuracy {champion.accuracy:.4f} since the stream began{_interval(champion.interval)}, "
        f"{champion.window_accuracy:.4f} recently ({status.champion})"
    )
    return [
        line,
        *unscored_lines(status),
        *sample_lines(status),
        *label_order_lines(status),
        *verdict_lines(status, only="better"),
    ]


def unscored_lines(status: StreamStatus) -> list[str]:
    """That no accuracy counts labels of images that came before any class was known, where they are several or all.

    Before the first label, that nothing is predicted: whoever labels only afterwards would never have an accuracy.
    """
    if status.images and not status.labels:
        return ["no class is known yet, so nothing is predicted: label a few images, on the page or by `prequel label`"]
    scored = max(model.scored for model in status.models.values())
    unscored = status.labelled - scored
    if unscored > 0 and not scored:
        subject = "the one labelled image" if unscored == 1 else f"all {unscored:,} labelled images"
        return [
            f"no accuracy yet: {subject} came before any class was known, so there was no prediction to score; "
            "label images that come from now on"
        ]
    if unscored > 1:  # One is in every stream: its first label.
        return [
            f"{unscored:,} of the {status.labelled:,} labelled images came before any class was known: "
            "there was no prediction to score, so no accuracy counts them"
        ]
    return []


def label_order_lines(status: StreamStatus) -> list[str]:
    """That labels come class after class, where they do, and what that means."""
    if status.label_order is None or status.label_order.mixed:
        return []
    if status.models[status.champion].accuracy is None:
        return [status.label_order.text]
    flattery = "Accuracy then looks better than it is: repeating the last label is nearly always right."
    return [f"{status.label_order.text} {flattery}"]


def sample_lines(status: StreamStatus) -> list[str]:
    """The champion's accuracy over labels of images that were chosen at random, where there is one."""
    sample = status.random_sample
    if sample is None:
        return []
    accuracy = f"accuracy {sample.accuracy:.4f}{_interval(sample.interval)}"
    labels = max(sample.labelled, status.label_reasons.get("random", 0))
    of = f"{sample.labelled:,} of " if sample.labelled < labels else ""
    return [f"{accuracy} over {of}the {labels:,} labels of images that were chosen at random"]


def verdict_lines(status: StreamStatus, only: str = "") -> list[str]:
    """The sentence on each challenger, or ``only`` on those of one verdict; of a better one, also how it may answer."""
    lines = []
    for challenger, verdict in status.verdicts.items():
        command = shlex.join(["prequel", "models", status.stream, "promote", challenger])
        remedy = f" To let it answer: {command}" if verdict.verdict == "better" else ""
        lines += [f"{verdict.text}{remedy}"] if only in ("", verdict.verdict) else []
    return lines


def _interval(interval: Interval | None) -> str:
    return f" (95 %: {interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
