"""The step that turns a model's own probabilities into those that are served, as the fold calibrates them now."""

from typing import NamedTuple

import numpy as np

from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.predictions import TOP
from prequel.services.learner.portable.steps import Array

TINY = 1e-9
"""Added to each probability before its power is taken: see ``kernels.calibration``."""


class Calibrate(NamedTuple):
    """``kernels.calibration.serve`` for any row: of the TOP most probable classes, those beyond share the rest evenly.

    With q, the probabilities to the power ``sharpness``, normalised: (1 - top) ((1 - even) q + even / classes), and
    ``top`` besides for the most probable class, whose probability is then the confidence. A share that lies between
    those of the two ``bins`` float64 [15] next to the confidence is dealt out in the same way: evenly where it is below
    0, to the most probable class where above. Last, ``doubt`` is dealt out evenly.
    """

    sharpness: float
    even: float
    top: float
    doubt: float
    bins: Array

    def width(self, given: int) -> int:
        if self.bins.ndim != 1 or not self.bins.size:
            raise ValueError("the calibration has no bins")
        return given

    def __call__(self, xs: Array) -> Array:
        classes, rows = xs.shape[1], np.arange(len(xs))
        # As float32, which the fold ranks and stores: of what it leaves to the others, rounding may be the most.
        own = np.where(np.isfinite(xs), xs, 0.0).astype(np.float32).astype(np.float64)
        largest = np.argsort(-own, axis=1, kind="stable")[:, :TOP]
        out = self._levelled(own, largest)
        powers = (np.maximum(out, 0.0) + TINY) ** self.sharpness
        out = _deal(powers / powers.sum(axis=1, keepdims=True), self.even, self.top, largest[:, 0])
        share = self._share(out[rows, largest[:, 0]])
        out = _deal(out, np.maximum(-share, 0.0)[:, None], np.maximum(share, 0.0)[:, None], largest[:, 0])
        out = _deal(out, self.doubt, 0.0, largest[:, 0])
        return self._levelled(out, largest) if classes > TOP else out

    def _levelled(self, shares: Array, largest: Array) -> Array:
        """The classes that are not among the ``largest`` have an even share of what these leave."""
        rows, rest = np.arange(len(shares))[:, None], shares.shape[1] - largest.shape[1]
        if rest <= 0:
            return shares
        left = np.maximum(1.0 - shares[rows, largest].sum(axis=1, keepdims=True), 0.0) / rest
        out = np.broadcast_to(left, shares.shape).copy()
        out[rows, largest] = shares[rows, largest]
        return out

    def _share(self, confidence: Array) -> Array:
        places = np.clip(confidence * self.bins.size - 0.5, 0.0, self.bins.size - 1.0)
        share: Array = np.interp(places, np.arange(self.bins.size), self.bins)
        return share


def calibrate_step(calibrator: Calibrator, classes: int) -> tuple[Calibrate, ...]:
    """What the calibrator does now to a prediction of so many classes; nothing where it leaves them as they are."""
    if not calibrator.active:
        return ()
    calibration, bins = calibrator.constants(classes)
    sharpness, even, top, _, doubt = calibration.tolist()
    return (Calibrate(sharpness, even, top, doubt, bins),)


def _deal(shares: Array, even: Array | float, top: Array | float, first: Array) -> Array:
    """Take the share ``even`` of all probabilities and deal it out evenly, then ``top`` for the ``first`` class."""
    out: Array = (1.0 - top) * ((1.0 - even) * shares + even / shares.shape[1])
    out[np.arange(len(shares)), first] += np.broadcast_to(np.asarray(top), (len(shares), 1))[:, 0]
    return out
