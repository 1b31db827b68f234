"""Kernels of the calibration of probabilities in the fold: counts by score, what fits them, and what is served.

They share a file because Numba's cache would not notice a change to a helper in another one (see ``compiled.kernel``).
"""

import math
from typing import Any

import numpy.typing as npt

from prequel.services.learner.kernels.compiled import kernel

Array = npt.NDArray[Any]

# What the arguments of the kernels below have in common. One row is one prediction of one model.
#   classes      int64   [width]  the most probable classes, the stream's numbers
#   raw          float32 [width]  the model's own probabilities of them, the largest first
#   known        int              how many classes the model knew; the classes beyond ``width`` share the rest evenly
#   calibration  float32 [5]      sharpness, even share, top share, the share of its bin, doubt: see ``serve``
#   fit          int64   [FIT_BLOCKS + 1, FIT_COLUMNS]          the last row is the sum of the others
#   bins         int64   [BIN_BLOCKS + 1, 3, BINS]              as reliability, before the bins' shares; last row: sum
#   doubt        int64   [DOUBT_BLOCKS + 1]                     log loss beyond chance, in 1 / UNIT; the last: the sum
#   reliability  int64   [RELIABILITY_BLOCKS, 3, BINS]          predictions, right ones, confidences in 1 / UNIT
#   state        int64   [6]      first index, newest block of fit, of reliability, of bins, of doubt; labels learned
#   powers       float64 [width + 1]                            scratch

FIT_BLOCK, FIT_BLOCKS = 64, 8
"""What is served follows from the newest 449 to 512 scores, which leave 64 at a time: whole blocks of whole numbers, so
that a correction is exact. Twice as many follow a new camera later (expected calibration error on CIFAR-10 0.021
instead of 0.024 for `softmax`, but 0.031 instead of 0.025 after the change); half as many let the sharpness shake."""
BIN_BLOCK, BIN_BLOCKS = 128, 8
"""What a bin of confidence gets follows from the newest 897 to 1,024 scores: twice those of ``fit``, since a bin has
few of them. Half as many leave `ncm` and `naive-bayes` on hard features above an expected calibration error of 0.03,
twice as many follow a change too late (`mix` 0.031)."""
DOUBT_BLOCK, DOUBT_BLOCKS = 16, 4
"""Doubt follows from the newest 49 to 64 labels. With half as many, chance makes hard streams doubt (`logistic` on
CIFAR-10 0.1 % of log loss) and a stream of classes of 100 images doubts good models (`slda` 5 %); with twice as many,
what was learned since is believed later (class after class on CIFAR-10, log loss of `slda` 1.27 instead of 1.20)."""
_FIRST_DOUBT = 0.05
"""The weight of even probabilities before any label, which then costs at most 0.05 nats. With a fifth, the first
hundred labels of classes one after the other have up to 4 % more log loss than chance, with this 3 %."""
RELIABILITY_BLOCK, RELIABILITY_BLOCKS = 512, 8
"""The reliability shown is of the newest 3,585 to 4,096 scores. In 15 bins, 1,000 would show an error of 0.04 where
there is none; since the start, it would be that of a model that has long become another."""
BINS = 15
"""Bins of confidence of equal width, as in Guo et al. 2017, so that figures can be compared."""
UNIT = 2.0**20
"""Losses and confidences are counted in 1 / UNIT: fine enough for six digits, and 2^40 of them are an int64."""
GRID, LOWEST = 9, -5
"""Powers of probabilities that are tried, 2^-5 to 2^3, between which a parabola finds the best: `naive-bayes` on 1,280
features needs 1/14, `logistic` 4. They are made of square roots and squares, which every processor rounds alike."""
COUNT, RIGHT, UNIFORM, LOSS, CONFIDENCE = 0, 1, 2, 3, 3 + GRID
"""Columns of ``fit``: how many, right ones, 1 / known; then for each power the log loss and the confidence."""
FIT_COLUMNS = 3 + 2 * GRID
_PRIOR = 0.25
"""Nats by which a power costs more than 1, times the square of its logarithm: with ten labels a doubled sharpness must
have gained 0.12 nats. With four times as much, `naive-bayes` is calibrated a hundred labels later."""
_DAMPING = 10.0
"""Examples without any excess of confidence that are added to the newest scores: 20 labels move the shares by two
thirds of what they say. Without them the log loss of the first hundred labels of `passive-aggressive` is 1.77 instead
of 1.71; with ten times as many, a thousand labels would not do."""
_FLOOR = 0.02
"""The even share that powers are compared with: without it, one label of a class that was thought impossible would
outweigh all the others. With a quarter, `softmax` is as good and `knn`, whose zeros are many, worse."""
_TINY = 1e-9
"""Added to every probability before its power is taken: of a 0 no power makes anything else. With 1e-6, what a good
model says of its second choice is lost (log loss of `softmax` 1.375 instead of 1.358); with 1e-12, the calibration
error of `naive-bayes`, which says 1.0 and 0.0, is 0.058 instead of 0.035."""


@kernel
def serve(raw: Array, known: int, calibration: Array, powers: Array, out: Array) -> None:
    """Calibrate one prediction into ``out`` float32 [width]; what is beyond min(known, width) stays.

    With q, the probabilities to the power of the sharpness, normalised: (1 - top) ((1 - even) q + even / known), and
    ``top`` besides for the most probable class. Of that, the bin's share is dealt out in the same way: to the most
    probable class if it is above 0, to all classes if below. Last, ``doubt`` is dealt out to all classes. The order
    stays: rounding never puts a class before another one.
    """
    _undoubted(raw, known, calibration, powers, out)
    _deal(min(known, raw.shape[0]), calibration[4] / known, calibration[4], 0.0, out)


@kernel
def _undoubted(raw: Array, known: int, calibration: Array, powers: Array, out: Array) -> float:
    """``serve`` without doubt; return the confidence without the bin's share too."""
    sharpness = calibration[0]
    stored = min(known, raw.shape[0])
    rest = known - stored
    left = 1.0
    total = 0.0
    for j in range(stored):
        left -= raw[j]
        powers[j] = _power(raw[j], sharpness)
        total += powers[j]
    if rest > 0:
        total += rest * _power(left / rest, sharpness)
    for j in range(stored):
        out[j] = powers[j] / total
    _deal(stored, calibration[1] / known, calibration[1], calibration[2], out)
    confidence = float(out[0])
    _deal_share(stored, known, calibration[3], out)
    return confidence


@kernel
def _power(probability: float, sharpness: float) -> float:
    base = max(probability, 0.0) + _TINY
    return base if sharpness == 1.0 else math.exp(sharpness * math.log(base))


@kernel
def _deal(stored: int, each: float, even: float, top: float, out: Array) -> None:
    """Of the probabilities ``out``, take the shares ``even``, which gives ``each`` class its part, and then ``top``."""
    for j in range(stored):
        out[j] = (1.0 - top) * ((1.0 - even) * out[j] + each)
        if j == 0:
            out[0] += top
        else:
            out[j] = min(out[j], out[j - 1])


@kernel
def _deal_share(stored: int, known: int, share: float, out: Array) -> None:
    if share < 0.0:
        _deal(stored, -share / known, -share, 0.0, out)
    elif share > 0.0:
        _deal(stored, 0.0, 0.0, share, out)


@kernel
def _bin_share(confidence: float, known: int, bins: Array) -> float:
    """The share for a prediction of this confidence, between those of the two bins whose middles are next to it."""
    place = confidence * BINS - 0.5
    below = math.floor(place)
    part = place - below
    lower = _share_of_bin(bins, max(below, 0), known)
    return (1.0 - part) * lower + part * _share_of_bin(bins, min(below + 1, BINS - 1), known)


@kernel
def _share_of_bin(bins: Array, slot: int, known: int) -> float:
    """What makes the mean confidence of a bin its accuracy: below 0 an even share, above 0 one for the first class."""
    counted = bins[BIN_BLOCKS, 0, slot]
    confidence = bins[BIN_BLOCKS, 2, slot] / UNIT
    return _share(confidence - bins[BIN_BLOCKS, 1, slot], confidence, counted, counted / known)


@kernel
def _share(excess: float, confidence: float, counted: float, uniform: float) -> float:
    """The share that lifts (above 0) or takes down (below 0) so many predictions by an ``excess`` of confidence."""
    if excess > 0.0:
        return -min(excess / (max(confidence - uniform, 0.0) + _DAMPING), 0.99)
    return min(-excess / (max(counted - confidence, 0.0) + _DAMPING), 0.99)


@kernel
def solve(fit: Array, known: int, learned: int, sharpen: bool, calibration: Array) -> None:
    """Find what makes the newest scores most probable, and confidence on average what accuracy was; ``fit`` is counts.

    The sharpness has the smallest log loss: temperature scaling (Guo et al., "On calibration of modern neural
    networks", ICML 2017). Where confidence then is above accuracy, the even share takes it down, where it is below, the
    top share lifts it. The even share is at least known / 2 / (learned + known): a model that has learned little does
    not know what it does not know. Without ``sharpen`` the sharpness is 1.
    """
    sums = fit[FIT_BLOCKS]
    best = -LOWEST
    smallest = math.inf
    for g in range(GRID if sharpen else 0):
        loss = sums[LOSS + g] / UNIT + _PRIOR * ((g + LOWEST) * math.log(2.0)) ** 2
        if loss < smallest:
            smallest = loss
            best = g
    shift = 0.0
    if sharpen and 0 < best < GRID - 1:
        below = sums[LOSS + best - 1] / UNIT + _PRIOR * ((best - 1 + LOWEST) * math.log(2.0)) ** 2 - smallest
        above = sums[LOSS + best + 1] / UNIT + _PRIOR * ((best + 1 + LOWEST) * math.log(2.0)) ** 2 - smallest
        if below + above > 0.0:
            shift = 0.5 * (below - above) / (below + above)
    beside = best + 1 if shift > 0.0 else best - 1
    confidence = sums[CONFIDENCE + best] / UNIT
    if shift != 0.0:
        confidence += abs(shift) * (sums[CONFIDENCE + beside] / UNIT - confidence)
    share = _share(confidence - sums[RIGHT], confidence, sums[COUNT], sums[UNIFORM] / UNIT)
    calibration[0] = 2.0 ** (best + LOWEST + shift)
    calibration[1] = max(0.5 * known / (max(learned, 0) + known), -share)
    calibration[2] = max(share, 0.0)
    calibration[3] = 0.0
    calibration[4] = 0.0


@kernel
def calibrate(
    classes: Array,
    raw: Array,
    known: int,
    truth: int,
    sharpen: bool,
    fit: Array,
    bins: Array,
    doubt: Array,
    state: Array,
    powers: Array,
    calibration: Array,
    out: Array,
) -> tuple[float, int]:
    """Find ``calibration`` from the counts, and serve with it as ``serve`` does.

    Returns the confidence without the bin's share, and by how much the log loss of ``truth`` (-1: none) without doubt
    is above chance: see ``count``.
    """
    stored = min(known, raw.shape[0])
    solve(fit, known, state[5], sharpen, calibration)
    confidence = _undoubted(raw, known, calibration, powers, out)
    calibration[3] = _bin_share(confidence, known, bins)
    _deal_share(stored, known, calibration[3], out)
    excess = _beyond_chance(classes, out, known, truth)
    calibration[4] = _doubt(doubt[DOUBT_BLOCKS] / UNIT)
    _deal(stored, calibration[4] / known, calibration[4], 0.0, out)
    return confidence, excess


@kernel
def constants(
    known: int, sharpen: bool, fit: Array, bins: Array, doubt: Array, state: Array, calibration: Array, shares: Array
) -> None:
    """All that ``calibrate`` does now to a prediction of ``known`` classes, whatever the prediction.

    ``calibration`` becomes what ``serve`` takes, but for the share of the bin: ``shares`` float64 [BINS] becomes that
    of each bin, and a confidence gets what lies between those of the two bins next to it (``_bin_share``).
    """
    solve(fit, known, state[5], sharpen, calibration)
    calibration[4] = _doubt(doubt[DOUBT_BLOCKS] / UNIT)
    for slot in range(BINS):
        shares[slot] = _share_of_bin(bins, slot, known)


@kernel
def _doubt(excess: float) -> float:
    """The weight, by Bayes' rule, of even probabilities beside a model whose log loss on the newest labels was higher.

    So the log loss served is hardly ever above chance, though nothing is known of the model: while labels come class
    after class, what they say of its sharpness would be wrong on a mixture, but chance it should not lose to.
    """
    odds = (1.0 / _FIRST_DOUBT - 1.0) * math.exp(-min(max(excess, -30.0), 30.0))
    return min(1.0 / (1.0 + odds), 0.99)


@kernel
def _beyond_chance(classes: Array, probabilities: Array, known: int, truth: int) -> int:
    """Log loss of the truth minus that of even probabilities, in 1 / UNIT; 0 of a class that could not be known."""
    if truth < 0 or not _could_know(classes, known, truth):
        return 0
    stored = min(known, probabilities.shape[0])
    left = 1.0
    for j in range(stored):
        left -= probabilities[j]
        if classes[j] == truth:
            return _units(-math.log(max(probabilities[j] * known, _TINY)))
    return _units(-math.log(max(left / (known - stored) * known, _TINY)))


@kernel
def _place(state: Array, newest: int, block: int, blocks: int, index: int) -> int:
    """The block of ``index`` among the newest ones; -1 where it has left them, -2 - block where blocks must come."""
    own = index // block
    if own > state[newest]:
        return -2 - own
    return own % blocks if own > state[newest] - blocks else -1


@kernel
def _fit_block(fit: Array, state: Array, index: int) -> int:
    """The row of ``fit`` for ``index``, -1 for none; what leaves is taken out of the sums."""
    place = _place(state, 1, FIT_BLOCK, FIT_BLOCKS, index)
    if place >= -1:
        return place
    own = -2 - place
    for block in range(max(state[1] + 1, own - FIT_BLOCKS + 1), own + 1):
        for column in range(FIT_COLUMNS):
            fit[FIT_BLOCKS, column] -= fit[block % FIT_BLOCKS, column]
            fit[block % FIT_BLOCKS, column] = 0
    state[1] = own
    return own % FIT_BLOCKS


@kernel
def _bin_block(bins: Array, state: Array, index: int) -> int:
    """The row of ``bins`` for ``index``, -1 for none; what leaves is taken out of the sums."""
    place = _place(state, 3, BIN_BLOCK, BIN_BLOCKS, index)
    if place >= -1:
        return place
    own = -2 - place
    for block in range(max(state[3] + 1, own - BIN_BLOCKS + 1), own + 1):
        for slot in range(BINS):
            for column in range(3):
                bins[BIN_BLOCKS, column, slot] -= bins[block % BIN_BLOCKS, column, slot]
                bins[block % BIN_BLOCKS, column, slot] = 0
    state[3] = own
    return own % BIN_BLOCKS


@kernel
def _doubt_block(doubt: Array, state: Array, index: int) -> int:
    """The place in ``doubt`` for ``index``, -1 for none; what leaves is taken out of the sum."""
    place = _place(state, 4, DOUBT_BLOCK, DOUBT_BLOCKS, index)
    if place >= -1:
        return place
    own = -2 - place
    for block in range(max(state[4] + 1, own - DOUBT_BLOCKS + 1), own + 1):
        doubt[DOUBT_BLOCKS] -= doubt[block % DOUBT_BLOCKS]
        doubt[block % DOUBT_BLOCKS] = 0
    state[4] = own
    return own % DOUBT_BLOCKS


@kernel
def _reliability_block(reliability: Array, state: Array, index: int) -> int:
    """The row of ``reliability`` for ``index``, -1 for none."""
    place = _place(state, 2, RELIABILITY_BLOCK, RELIABILITY_BLOCKS, index)
    if place >= -1:
        return place
    own = -2 - place
    for block in range(max(state[2] + 1, own - RELIABILITY_BLOCKS + 1), own + 1):
        reliability[block % RELIABILITY_BLOCKS] = 0
    state[2] = own
    return own % RELIABILITY_BLOCKS


@kernel
def _units(value: float) -> int:
    return math.floor(value * UNIT + 0.5)


@kernel
def _add(fit: Array, row: int, column: int, value: int) -> None:
    fit[row, column] += value
    fit[FIT_BLOCKS, column] += value


@kernel
def _count_fit(
    classes: Array,
    raw: Array,
    known: int,
    truth: int,
    row: int,
    sign: int,
    sharpen: bool,
    fit: Array,
    powers: Array,
) -> None:
    """Count the confidence and, where a ``sharpen``-ing power is sought, it and the true class's log loss for each."""
    _add(fit, row, COUNT, sign)
    _add(fit, row, RIGHT, sign * (classes[0] == truth))
    _add(fit, row, UNIFORM, sign * _units(1.0 / known))
    if sharpen:
        _count_powers(classes, raw, known, truth, row, sign, fit, powers)
    else:
        _add(fit, row, CONFIDENCE - LOWEST, sign * _units(raw[0]))


@kernel
def _count_powers(
    classes: Array, raw: Array, known: int, truth: int, row: int, sign: int, fit: Array, powers: Array
) -> None:
    stored = min(known, raw.shape[0])
    rest = known - stored
    at = stored
    left = 1.0
    for j in range(stored):
        left -= raw[j]
        powers[j] = _lowest_power(raw[j])
        if classes[j] == truth:
            at = j
    powers[stored] = _lowest_power(left / rest) if rest > 0 else 0.0
    for g in range(GRID):
        total = rest * powers[stored]
        for j in range(stored):
            total += powers[j]
        _add(fit, row, CONFIDENCE + g, sign * _units(powers[0] / total))
        loss = -math.log((1.0 - _FLOOR) * powers[at] / total + _FLOOR / known)
        _add(fit, row, LOSS + g, sign * _units(loss))
        for j in range(stored + 1):
            powers[j] *= powers[j]


@kernel
def _lowest_power(probability: float) -> float:
    power = max(probability, 0.0) + _TINY
    for _ in range(-LOWEST):
        power = math.sqrt(power)
    return power


@kernel
def _count_bin(counts: Array, confidence: float, right: bool, sign: int) -> None:
    slot = min(int(confidence * BINS), BINS - 1)
    counts[0, slot] += sign
    counts[1, slot] += sign * right
    counts[2, slot] += sign * _units(confidence)


@kernel
def _could_know(classes: Array, known: int, truth: int) -> bool:
    """Whether the model could know the class: beyond those stored, models met classes in the stream's order."""
    for j in range(min(known, classes.shape[0])):
        if classes[j] == truth:
            return True
    return classes.shape[0] < known and truth < known


@kernel
def count(
    classes: Array,
    raw: Array,
    known: int,
    truth: int,
    index: int,
    mixed: bool,
    before: float,
    excess: int,
    served: float,
    sign: int,
    sharpen: bool,
    fit: Array,
    bins: Array,
    doubt: Array,
    reliability: Array,
    state: Array,
    powers: Array,
) -> None:
    """Count the label of one prediction (``sign`` 1), or take it out again (-1).

    ``truth`` is its class, ``index`` the stream's of the score, ``served`` the probability that was served for the most
    probable class; ``before`` and ``excess`` are what ``calibrate`` returned. ``fit`` and ``bins`` count only a label
    that came ``mixed``, and of a class that the model could know: an even share that the others ask for would be wrong
    (log loss of the first hundred labels of `slda` on MNIST 1.18 instead of 1.03).
    """
    index -= state[0]
    if index < 0 or known <= 0:
        return
    state[5] += sign
    right = classes[0] == truth
    counts = mixed and _could_know(classes, known, truth)
    row = _fit_block(fit, state, index)
    if row >= 0 and counts:
        _count_fit(classes, raw, known, truth, row, sign, sharpen, fit, powers)
    row = _bin_block(bins, state, index)
    if row >= 0 and counts:
        _count_bin(bins[row], before, right, sign)
        _count_bin(bins[BIN_BLOCKS], before, right, sign)
    row = _doubt_block(doubt, state, index)
    if row >= 0:
        doubt[row] += sign * excess
        doubt[DOUBT_BLOCKS] += sign * excess
    row = _reliability_block(reliability, state, index)
    if row >= 0:
        _count_bin(reliability[row], served, right, sign)


@kernel
def recount(
    classes: Array,
    raw: Array,
    known: int,
    truth: int,
    index: int,
    mixed: bool,
    calibration: Array,
    served: float,
    sign: int,
    sharpen: bool,
    fit: Array,
    bins: Array,
    doubt: Array,
    reliability: Array,
    state: Array,
    powers: Array,
    out: Array,
) -> None:
    """``count`` for a prediction that was calibrated before, with ``calibration``; ``out`` is scratch."""
    out[:] = raw
    before = float(raw[0])
    if calibration[0] != 1.0 or calibration[1:].any():
        before = _undoubted(raw, known, calibration, powers, out)
    excess = _beyond_chance(classes, out, known, truth)
    count(
        classes,
        raw,
        known,
        truth,
        index,
        mixed,
        before,
        excess,
        served,
        sign,
        sharpen,
        fit,
        bins,
        doubt,
        reliability,
        state,
        powers,
    )


@kernel
def calibrate_run(
    classes: Array,
    raw: Array,
    known: Array,
    truths: Array,
    indices: Array,
    mixed: Array,
    active: bool,
    sharpen: bool,
    fit: Array,
    bins: Array,
    doubt: Array,
    reliability: Array,
    state: Array,
    powers: Array,
    calibrations: Array,
    out: Array,
) -> None:
    """For each row in turn: find the calibration, serve, and count the label where there is one.

    The arguments are as above, with a row for each prediction. ``indices`` int64 [n] are -1 where no label is scored.
    ``active`` says whether to calibrate: if not, ``out`` float32 [n, width] becomes ``raw``; ``sharpen`` is that of
    ``solve``. ``calibrations`` float32 [n, 5] becomes what was used.
    """
    for i in range(raw.shape[0]):
        calibrations[i] = 0.0
        calibrations[i, 0] = 1.0
        out[i] = raw[i]
        if known[i] <= 0:
            continue
        truth = truths[i] if indices[i] >= 0 else -1
        before = float(raw[i, 0])
        excess = 0
        if active:
            before, excess = calibrate(
                classes[i],
                raw[i],
                known[i],
                truth,
                sharpen,
                fit,
                bins,
                doubt,
                state,
                powers,
                calibrations[i],
                out[i],
            )
        else:
            excess = _beyond_chance(classes[i], raw[i], known[i], truth)
        if indices[i] >= 0:
            count(
                classes[i],
                raw[i],
                known[i],
                truth,
                indices[i],
                mixed[i],
                before,
                excess,
                out[i, 0],
                1,
                sharpen,
                fit,
                bins,
                doubt,
                reliability,
                state,
                powers,
            )
