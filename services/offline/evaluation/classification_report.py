"""The classification report of a confusion matrix, as scikit-learn prints it."""

from collections.abc import Mapping, Sequence

import numpy as np

Cell = tuple[int, int]
"""(true class, predicted class); -1 is a prediction of none."""


def classification_report(cells: Mapping[Cell, int], names: Sequence[str]) -> str:
    """``names`` are those of the classes. Empty where there is nothing to report.

    >>> print(classification_report({(0, 0): 3, (1, 0): 1, (1, 1): 4}, ["cat", "dog"]).splitlines()[2])
             cat       0.75      1.00      0.86         3
    """
    from sklearn.metrics import classification_report as report

    if not cells:
        return ""
    there = sorted({label for cell in cells for label in cell if label >= 0}, key=lambda label: names[label])
    counts = list(cells.values())
    truths, predicted = (np.repeat([cell[side] for cell in cells], counts) for side in (0, 1))
    text: str = report(truths, predicted, labels=there, target_names=[names[label] for label in there], zero_division=0)
    return text
