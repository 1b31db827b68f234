"""How reliable a model's confidence is: its expected calibration error, and the curve behind it."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from prequel.services.learner.kernels.calibration import UNIT


class ConfidenceBin(NamedTuple):
    """The predictions of one bin of confidence: their mean confidence, the share that was right, how many there are."""

    confidence: float
    accuracy: float
    predictions: int


def reliability_curve(counts: npt.NDArray[np.int64]) -> list[ConfidenceBin]:
    """A point for each bin that has predictions, the least confident first; ``counts`` as Calibrator.reliability.

    A reliable model's points lie where accuracy equals confidence: of a hundred images that it is 0.8 sure of, it is
    right about eighty.

    >>> reliability_curve(np.array([[4, 0], [3, 0], [int(3.2 * UNIT), 0]]))
    [ConfidenceBin(confidence=0.8, accuracy=0.75, predictions=4)]
    """
    rows = counts.T[counts[0] > 0].tolist()
    return [ConfidenceBin(round(sure / UNIT / n, 6), right / n, n) for n, right, sure in rows]


def calibration_error(counts: npt.NDArray[np.int64]) -> float | None:
    """The mean distance of confidence from accuracy over the bins, weighted by their predictions; None without any.

    The expected calibration error of the predicted class, in bins of equal width (Naeini, Cooper & Hauskrecht,
    "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015; Guo et al., ICML 2017).

    >>> calibration_error(np.array([[4, 4], [3, 0], [int(3.5 * UNIT), 0]]))
    0.0625
    """
    scored = int(counts[0].sum())
    return float(np.abs(counts[2] / UNIT - counts[1]).sum() / scored) if scored else None
