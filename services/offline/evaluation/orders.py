"""The order in which examples are predicted and learned."""

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prequel.services.offline.evaluation.options import AS_IS, BY_CLASS, BY_TIME, SHUFFLED, Options
from prequel.services.producer.sources.natural_order import natural_key
from prequel.shared.features.base import RowInfo
from prequel.shared.features.row_order import SHUFFLED_BY_EXTRACT, in_blocks


class Ordered(NamedTuple):
    """``numbers`` are those of the examples, in the order ``kind``; ``line`` says so for people."""

    kind: str
    numbers: Sequence[int]
    line: str


def ordered(
    infos: Sequence[RowInfo],
    numbers: Sequence[int],
    options: Options,
    *,
    stored_order: str,
    times: Callable[[], Sequence[float]],
) -> Ordered:
    """The examples ``numbers`` (ascending) in the order that was asked for, else in the one that suits them.

    ``times`` is called for the order of time only. Raises what that does.
    """
    kind, line = _choose(infos, numbers, options, stored_order)
    if kind == SHUFFLED:
        shuffled = list(numbers)
        random.Random(options.seed).shuffle(shuffled)
        return Ordered(kind, shuffled, line)
    if kind == BY_CLASS:
        return Ordered(kind, sorted(numbers, key=lambda number: _class_key(infos[number].label)), line)
    if kind == BY_TIME:
        moments = times()
        return Ordered(kind, sorted(numbers, key=lambda number: moments[number]), line)
    return Ordered(kind, numbers, line)


def _choose(infos: Sequence[RowInfo], numbers: Sequence[int], options: Options, stored_order: str) -> tuple[str, str]:
    """The kind of order, and a line for people."""
    seed = options.seed
    if options.order is not None:
        return options.order, {
            SHUFFLED: f"order: shuffled with seed {seed}",
            AS_IS: "order: as they lie in the source",
            BY_CLASS: "order: class after class: whoever only repeats the label before is nearly always right",
            BY_TIME: "order: by when the images were taken",
        }[options.order]
    if stored_order.startswith(SHUFFLED_BY_EXTRACT):
        made = stored_order.partition(":")[2]
        return AS_IS, f"order: as the file has it, which was shuffled{f' with seed {made}' if made else ''} when made"
    if in_blocks([label for number in numbers if (label := infos[number].label) is not None]):
        return SHUFFLED, f"order: shuffled with seed {seed}, because classes come in blocks (or choose --order as-is)"
    return AS_IS, "order: as they lie in the source, where classes come mixed"


def _class_key(label: str | None) -> tuple[bool, tuple[str, str]]:
    """Those without a label come last."""
    return label is None, natural_key(label or "")
