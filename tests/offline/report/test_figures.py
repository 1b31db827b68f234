"""The figures for notebooks: what they show, and always the same SVG."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure

from prequel.services.offline.report.figures import (
    COLOURS,
    accuracy_curves,
    as_svg,
    confusion_matrix,
    reliability_curves,
)
from prequel.services.offline.report.page import TEMPLATES
from prequel.shared.backtests import BacktestResult
from tests.offline.report.evaluations import evaluate, only_one_label, random_examples

FIGURES: tuple[Callable[[BacktestResult], Figure], ...] = (
    accuracy_curves,
    lambda result: accuracy_curves(result, recent=True),
    reliability_curves,
    lambda result: confusion_matrix(result.confusion[result.champion]),
)


@pytest.fixture(scope="module")
def result() -> BacktestResult:
    return evaluate(random_examples(("cat", "<dog>", "$\\bird$"), 200), "slda,ncm").prequential


@pytest.mark.parametrize("figure", FIGURES)
def test_equal_results_give_equal_figures(result: BacktestResult, figure: Callable[[BacktestResult], Figure]) -> None:
    assert as_svg(figure(result)) == as_svg(figure(result))


@pytest.mark.parametrize("figure", FIGURES)
def test_nothing_scored_gives_empty_figures(figure: Callable[[BacktestResult], Figure]) -> None:
    result = evaluate(only_one_label(random_examples(("cat", "dog"), 60)), "ncm").prequential
    assert as_svg(figure(result)).startswith("<?xml")


def test_the_curve_is_that_of_the_result(result: BacktestResult) -> None:
    (first, *_) = accuracy_curves(result).axes[0].lines
    model = next(iter(result.models))
    assert np.asarray(first.get_ydata()).tolist() == [point.accuracy[model] for point in result.curve]
    assert np.asarray(first.get_xdata()).tolist() == [point.scored for point in result.curve]


def test_the_matrix_has_the_counts(result: BacktestResult) -> None:
    text = as_svg(confusion_matrix(result.confusion["ncm"]))
    assert "&lt;dog&gt;" in text
    assert "$\\bird$" in text
    largest = max(max(row) for row in result.confusion["ncm"].rows)
    assert f">{largest}<" in text


def test_models_have_the_colours_of_the_report() -> None:
    style = (TEMPLATES / "report.css").read_text()
    assert all(f"--series-{number}: {colour};" in style for number, colour in enumerate(COLOURS, 1))
