"""The orders of a queue: what comes first is what to look at first."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.opinions.served import Numbers, Served
from prequel.services.learner.opinions.window_rows import WindowRows
from prequel.shared.random_sample import is_sampled, sample_digest

_UNIT = 1e9
"""Ranks are whole numbers, so that a page can name the last one exactly."""

Mask = npt.NDArray[np.bool_]


class Ranked(NamedTuple):
    """Examples in the order of a queue: ``ranks`` and ``sequences`` int64 [n]; ranks ascend, of equal ones the newest
    comes first."""

    ranks: Numbers
    sequences: Numbers

    def after(self, rank: int, sequence: int) -> int:
        """How many of them come up to and with this place, whether it is taken or not."""
        return int(np.count_nonzero((self.ranks < rank) | ((self.ranks == rank) & (self.sequences >= sequence))))


def ranked(ranks: Numbers, sequences: Numbers) -> Ranked:
    order = np.lexsort((-sequences, ranks))
    return Ranked(ranks[order], sequences[order])


def uncertain(champion: Served) -> Ranked:
    """The smallest margin between the two most probable labels first (Scheffer, Decomain, Wrobel: Active hidden Markov
    models for information extraction, IDA 2001)."""
    return ranked(_whole(champion.margins), champion.sequences)


def disagreement(champion: Served, challengers: Sequence[Served], names: Numbers) -> Ranked:
    """Only examples that models call differently, by how much they prefer their own labels to the champion's.

    ``names`` int64 [classes] are equal where people call two classes alike.
    """
    preference, differs = np.zeros(len(champion.sequences)), np.zeros(len(champion.sequences), np.bool_)
    for challenger in challengers:
        differs |= _names(names, challenger.top_classes) != _names(names, champion.top_classes)
        preference += challenger.shares[:, 0] - challenger.share_of(champion.top_classes)
    mean = preference / max(len(challengers), 1)
    return ranked(_whole(1.0 - mean[differs]), champion.sequences[differs])


def suspect(left_out: Served, labels: Numbers, names: Numbers) -> Ranked:
    """Only examples whose labels (classes [n]) are denied, by how much the model prefers another."""
    denied = (_names(names, left_out.top_classes) != _names(names, labels)) & (left_out.top_classes >= 0)
    preference = left_out.shares[:, 0] - left_out.share_of(labels)
    return ranked(_whole(1.0 - preference[denied]), left_out.sequences[denied])


def at_random(rows: WindowRows) -> Ranked:
    """The order of the random sample: those that are of it come first."""
    ranks = [int.from_bytes(digest[:7], "big") for digest in _digests(rows)]
    return ranked(np.array(ranks, np.int64), rows.sequences)


def of_sample(rows: WindowRows) -> Mask:
    """Which of the examples are of the random sample."""
    return np.array([is_sampled(digest) for digest in _digests(rows)], np.bool_)


def _digests(rows: WindowRows) -> list[bytes]:
    places = zip(rows.partitions.tolist(), rows.offsets.tolist(), strict=True)
    return [sample_digest(f"{partition}:{offset}") for partition, offset in places]


def _names(names: Numbers, classes: Numbers) -> Numbers:
    """The numbers of the classes' names, -1 for none."""
    return np.append(names, -1)[classes]


def _whole(shares: npt.NDArray[np.float64]) -> Numbers:
    return np.rint(np.clip(shares, 0.0, 1.0) * _UNIT).astype(np.int64)
