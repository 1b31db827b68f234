"""Calibrates one model's probabilities from its newest scores, by counts that a correction restates exactly."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from prequel.services.learner.fold.calibration.ranking import Ranking, ServedRun, ranking
from prequel.services.learner.fold.predictions import TOP, ModelPrediction
from prequel.services.learner.kernels.calibration import (
    BIN_BLOCKS,
    BINS,
    DOUBT_BLOCKS,
    FIT_BLOCKS,
    FIT_COLUMNS,
    RELIABILITY_BLOCKS,
    calibrate,
    calibrate_run,
    constants,
    recount,
)

Arrays = dict[str, npt.NDArray[Any]]
Numbers = npt.NDArray[np.int64]
_PARTS = ("fit", "bins", "doubt", "reliability", "state")


class Calibrator:
    """Counts of one model's scores: of 1,024, what to serve follows; of the newest 4,096, how reliable it was.

    ``active`` False leaves probabilities as they are, and only counts how reliable these were. ``sharpen`` False leaves
    their sharpness alone: for a model that finds it by itself. ``first`` is the
    stream's index of the first score that counts. What is served of a prediction depends on the labels scored before
    it alone, and stays: a correction changes the counts, as if the right label had been scored, and so what is served
    from then on. See ``kernels.calibration`` for how.

    >>> calibrator = Calibrator(active=True)
    >>> sure = ModelPrediction([0, 1], [0.99, 0.01], known=2)
    >>> for index in range(300):  # right in four of five cases
    ...     calibrator.count(calibrator.calibrate(sure), int(index % 5 == 0), index, mixed=True)
    >>> round(calibrator.calibrate(sure).probabilities[0], 1)
    0.8
    """

    def __init__(self, *, active: bool, sharpen: bool = True, first: int = 0) -> None:
        self.active, self._sharpen = active, sharpen
        self._fit = np.zeros((FIT_BLOCKS + 1, FIT_COLUMNS), np.int64)
        self._bins = np.zeros((BIN_BLOCKS + 1, 3, BINS), np.int64)
        self._doubt = np.zeros(DOUBT_BLOCKS + 1, np.int64)
        self._reliability = np.zeros((RELIABILITY_BLOCKS, 3, BINS), np.int64)
        self._state = np.array([first, 0, 0, 0, 0, 0], np.int64)
        self._powers = np.empty(TOP + 1)

    def calibrate(self, prediction: ModelPrediction) -> ModelPrediction:
        """What is served now where the model itself says this."""
        if not self.active or prediction.known <= 0:
            return prediction
        raw, calibration = prediction.own, np.empty(5, np.float32)
        classes, out = np.array(prediction.classes, np.int64), np.empty_like(raw)
        counts = self._fit, self._bins, self._doubt, self._state
        calibrate(classes, raw, prediction.known, -1, self._sharpen, *counts, self._powers, calibration, out)
        return ModelPrediction(prediction.classes, out.tolist(), prediction.known, raw, calibration)

    def calibrate_run(self, ranked: Ranking, truths: Numbers, indices: Numbers, mixed: Numbers) -> ServedRun:
        """What is served of each of a run of predictions, whose labels are counted one after the other.

        ``truths`` [n] are classes, ``indices`` [n] those of the scores, -1 where no label is scored, ``mixed`` [n]
        1 where the label came mixed. Equal to calibrating and counting them one by one, and faster.
        """
        calibrations, out = np.empty((len(truths), 5), np.float32), np.empty_like(ranked.raw)
        calibrate_run(
            *ranked,
            truths,
            indices,
            mixed,
            self.active,
            self._sharpen,
            self._fit,
            self._bins,
            self._doubt,
            self._reliability,
            self._state,
            self._powers,
            calibrations,
            out,
        )
        return ServedRun(ranked, out, calibrations)

    def count(self, prediction: ModelPrediction, truth: int, index: int, *, mixed: bool, sign: int = 1) -> None:
        """Count the label of a prediction that was served; with -1, take it out again. See ``calibrate_run``."""
        if prediction.known > 0:
            raw = prediction.own
            recount(
                np.array(prediction.classes, np.int64),
                raw,
                prediction.known,
                truth,
                index,
                mixed,
                prediction.calibration,
                prediction.probabilities[0],
                sign,
                self._sharpen,
                self._fit,
                self._bins,
                self._doubt,
                self._reliability,
                self._state,
                self._powers,
                np.empty_like(raw),
            )

    def constants(self, known: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        """What ``calibrate`` does now to any prediction of so many classes, at least 1: see ``kernels.calibration``."""
        calibration, shares = np.empty(5, np.float32), np.empty(BINS)
        counts = self._fit, self._bins, self._doubt, self._state
        constants(known, self._sharpen, *counts, calibration, shares)
        return calibration, shares

    def shift(self, indices: int) -> None:
        """Make the stream's indices larger by so many: another stream takes the calibrator over."""
        self._state[0] += indices

    @property
    def reliability(self) -> Numbers:
        """Predictions, right ones and confidences (in 1 / UNIT) by bin of confidence, shape [3, BINS]."""
        counts: Numbers = self._reliability.sum(axis=0)
        return counts

    def arrays(self) -> Arrays:
        """As a snapshot stores it; ``load`` is the inverse."""
        arrays = self._fit, self._bins, self._doubt, self._reliability, self._state
        return {name: array.copy() for name, array in zip(_PARTS, arrays, strict=True)}

    def load(self, arrays: Arrays) -> None:
        """The inverse of ``arrays``."""
        self._fit, self._bins, self._doubt, self._reliability, self._state = (arrays[name].copy() for name in _PARTS)


def calibrator_arrays(calibrators: Sequence[Calibrator]) -> Arrays:
    """The state of several models' calibrators as one part of a snapshot."""
    return {
        f"{name}.{number}": array
        for number, calibrator in enumerate(calibrators)
        for name, array in calibrator.arrays().items()
    }


def load_calibrators(calibrators: Sequence[Calibrator], arrays: Arrays) -> None:
    """The inverse of ``calibrator_arrays``."""
    for number, calibrator in enumerate(calibrators):
        calibrator.load({name: arrays[f"{name}.{number}"] for name in _PARTS})


def compile() -> None:
    """Load the kernels from the cache on disk, or compile them into it, so that no event has to wait."""
    calibrator, one = Calibrator(active=True), np.zeros(1, np.int64)
    (prediction,) = calibrator.calibrate_run(ranking([np.ones(1)], [0]), one, one, one).predictions()
    calibrator.count(calibrator.calibrate(prediction), 0, 0, mixed=True)
    calibrator.constants(1)
