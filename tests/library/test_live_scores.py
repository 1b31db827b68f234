"""The scores of a stream that is running are those that its gateway answers, and figures are drawn of them."""

import pytest

import prequel
from prequel import Client


def test_the_scores_are_those_of_the_stream(client: Client, url: str) -> None:
    scores, status = prequel.figures.live(client, "colours"), client.status("colours")
    assert scores.models == status.models
    assert (scores.images, scores.labelled, scores.champion) == (status.images, status.labelled, status.champion)
    assert scores.curve == client.curve("colours").points
    (model,) = status.models
    assert scores.confusion[model].rows == client.confusion("colours").rows
    assert sum(map(sum, scores.confusion[model].rows)) == status.models[model].scored > 0
    assert scores.reliability == client.reliability("colours").models


@pytest.mark.parametrize("kind", ["accuracy", "confusion", "calibration", "classes", "forgetting"])
def test_a_running_stream_has_the_figures_of_an_evaluation(client: Client, url: str, kind: str) -> None:
    scores = prequel.figures.live(client, "colours")
    figure = getattr(prequel.figures, kind)(scores)
    assert f">{scores.champion}<" in figure.svg or ">green<" in figure.svg


def test_a_stream_that_is_not_there_is_said(client: Client, url: str) -> None:
    with pytest.raises(prequel.PrequelError, match="colour"):
        prequel.figures.live(client, "colour")
