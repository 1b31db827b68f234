"""Log loss in whole units, so that a sum of losses does not depend on its order and a correction is exact."""

import math

LOSS_UNIT = 2.0**-32
"""Nats. Fine enough that rounding shows in the tenth digit only, coarse enough that any sum stays a small integer."""


def log_loss_units(probability: float) -> int:
    """Log loss, in LOSS_UNIT, of the probability that was predicted for the true class.

    The probability is clipped to [1e-15, 1 - 1e-15], as in River's ``metrics.LogLoss``.

    >>> round(log_loss_units(0.5) * LOSS_UNIT, 6)
    0.693147
    """
    if not 1e-15 <= probability <= 1 - 1e-15:
        probability = 1e-15 if probability < 1e-15 else 1 - 1e-15
    return round(-math.log(probability) / LOSS_UNIT)
