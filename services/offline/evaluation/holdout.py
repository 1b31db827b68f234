"""Which examples are held out: those of a split, or a share of each class."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from prequel.services.offline.evaluation.errors import EvaluationError, WrongOptions
from prequel.services.producer.sources.folder import HELD_OUT_SPLITS
from prequel.shared.features.base import RowInfo


class Division(NamedTuple):
    """Numbers of the examples that are learned and of those that are held out, both ascending; ``notes`` are sentences
    on what the user may have missed."""

    learned: Sequence[int]
    held_out: Sequence[int]
    notes: list[str]


def divide(infos: Sequence[RowInfo], holdout: str | None, seed: int) -> Division:
    """Hold out the split or the share ``holdout``, None: nothing. Raises WrongOptions, EvaluationError."""
    splits = Counter(info.split for info in infos if info.split is not None)
    if holdout is None:
        return Division(range(len(infos)), [], _proposal(splits))
    share = None if holdout in splits else _share(holdout, splits)
    chosen = _split(infos, holdout) if share is None else _drawn(infos, share, seed)
    held_out = set(chosen)
    learned = [number for number in range(len(infos)) if number not in held_out]
    return Division(learned, chosen, _check(infos, learned, chosen, holdout))


def _proposal(splits: Counter[str]) -> list[str]:
    found = next((name for usual in HELD_OUT_SPLITS for name in splits if name.lower() == usual), None)
    if found is None or len(splits) < 2:
        return []
    return [
        f"{splits[found]:,} examples are of the split {found}, and are learned too: --holdout {found} keeps them out"
    ]


def _share(holdout: str, splits: Counter[str]) -> float:
    """Raises WrongOptions where that is neither a share nor a split."""
    try:
        share = float(holdout)
    except ValueError:
        there = f"the splits here are {', '.join(sorted(splits))}" if splits else "there are no splits here"
        raise WrongOptions(f"--holdout {holdout} is no split: {there}; or give a share, like 0.2") from None
    if not 0 < share < 1:
        raise WrongOptions(f"--holdout {holdout}: a share lies between 0 and 1, like 0.2")
    return share


def _split(infos: Sequence[RowInfo], split: str) -> list[int]:
    return [number for number, info in enumerate(infos) if info.split == split]


def _drawn(infos: Sequence[RowInfo], share: float, seed: int) -> list[int]:
    """So many of each class, drawn by the seed. Those without a label are left to be predicted in their turn."""
    by_class = dict[str, list[int]]()
    for number, info in enumerate(infos):
        if info.label is not None:
            by_class.setdefault(info.label, []).append(number)
    drawing = random.Random(seed)
    drawn = [drawing.sample(by_class[label], round(share * len(by_class[label]))) for label in sorted(by_class)]
    return sorted(number for numbers in drawn for number in numbers)


def _check(infos: Sequence[RowInfo], learned: Sequence[int], held_out: Sequence[int], holdout: str) -> list[str]:
    """Notes on the labels that are missing. Raises EvaluationError where nothing could be said of the rest."""
    if not held_out:
        raise EvaluationError(f"--holdout {holdout} holds nothing out: no class has enough examples")
    if not any(infos[number].label is not None for number in learned):
        raise EvaluationError(f"--holdout {holdout} leaves nothing to learn: all labels are among what is held out")
    missing = sum(infos[number].label is None for number in held_out)
    if missing == len(held_out):
        raise EvaluationError(
            f"none of the {missing:,} examples held out ({holdout}) has a label: there is nothing to score them by"
        )
    if not missing:
        return []
    return [f"{missing:,} of the {len(held_out):,} examples held out have no label: predicted, but not scored"]
