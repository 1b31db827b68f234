"""Every model that leaves answers as it did in its stream; the others say why they cannot."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prequel.services.learner.fold.calibration.calibrator import Calibrator
from prequel.services.learner.fold.calibration.ranking import own_predictions
from prequel.services.learner.models.catalogue import MODELS
from prequel.services.learner.models.spec import parse
from prequel.services.learner.portable.calibrated import calibrate_step
from prequel.services.offline.prediction.answers import answers
from prequel.shared.queries import ModelCannotLeave
from tests.learner.models.suite import BUILT_IN
from tests.learner.portable.asked import Asked

LIKE_THE_GATEWAY = 1e-5


SPECS = [spec for spec in BUILT_IN if "cgan" not in spec]
"""What `cgan` rehearses does not leave, and takes long to train."""


@pytest.mark.parametrize("spec", SPECS)
def test_a_file_answers_as_the_learner_does(spec: str) -> None:
    asked = Asked(spec)
    for found, expected in zip(answers(asked.file(), asked.unlearned()), asked.answers(), strict=True):
        assert found.label == expected.label
        assert_same(found.probabilities, expected.probabilities)
        assert (found.set_level, found.unknown) == (expected.set_level, expected.unknown)
        assert (found.position, found.stream, found.model) == (expected.position, "s", spec)
        assert abs(found.set_size - expected.set_size) <= 1, "one class may lie on the threshold"


def assert_same(found: Mapping[str, float], expected: Mapping[str, float]) -> None:
    """Of classes that are equally probable, either may be the tenth."""
    assert list(found.values()) == pytest.approx(list(expected.values()), abs=LIKE_THE_GATEWAY)
    tenth = min(expected.values())
    for label in found.keys() | expected.keys():
        assert found.get(label, tenth) == pytest.approx(expected.get(label, tenth), abs=LIKE_THE_GATEWAY)


def test_the_catalogue_says_what_cannot_leave() -> None:
    assert [name for name, row in MODELS.items() if not row.leaves_as] == ["river"]
    assert {parse(spec)[-1].name for spec in SPECS} == {name for name, row in MODELS.items() if row.leaves_as}


@pytest.mark.parametrize("spec", ["river:naive_bayes.GaussianNB", "scale|river:linear_model.Perceptron"])
def test_a_pickle_cannot_leave(spec: str) -> None:
    asked = Asked(f"ncm,{spec}", snapshot_key="k" * 32)
    with pytest.raises(ModelCannotLeave, match=r"pickle of River's own objects.*use one of Prequel's own"):
        asked.file(spec)
    assert asked.file().meta.model == "ncm"


def test_a_model_that_is_not_there_is_named_beside_those_that_are() -> None:
    with pytest.raises(ModelCannotLeave, match="has no model 'slda'; it has ncm, softmax"):
        Asked("ncm,softmax").file("slda")


def test_a_challenger_leaves_with_its_own_calibration_and_without_the_champions_thresholds() -> None:
    asked = Asked("ncm,softmax", unknown_probability=0.4)
    file = asked.file("softmax")
    assert (file.meta.model, file.meta.novel.probability, file.meta.set_level) == ("softmax", 0.0, 0.0)
    tops = [answer.models["softmax"] for answer in asked.answers()]
    assert [answer.label for answer in answers(file, asked.unlearned())] == tops


@pytest.mark.parametrize("thresholds", [{"unknown_probability": 0.6}, {"unknown_distance": 1.05}])
def test_it_abstains_where_the_stream_would(thresholds: dict[str, Any]) -> None:
    asked = Asked("ncm", **thresholds)
    expected = [answer.unknown for answer in asked.answers()]
    assert 0 < sum(expected) < len(expected), "some of each, or the test says nothing"
    found = answers(asked.file(), asked.unlearned())
    assert [answer.unknown for answer in found] == expected
    assert [answer.label for answer in found] == [answer.label for answer in asked.answers()]


def test_classes_have_their_names_of_today() -> None:
    renamed = {"do": "class.rename", "from": "class 3", "to": "Grüße"}
    asked = Asked("ncm", commands=[renamed])
    assert "Grüße" in asked.file().meta.labels
    assert "class 3" not in asked.file().meta.labels
    names = [answer.label for answer in answers(asked.file(), asked.unlearned())]
    assert names == [answer.label for answer in asked.answers()]


def test_a_model_that_has_learned_nothing_says_so() -> None:
    asked = Asked("ncm")
    state = asked.fold.streams["s"]
    state.models = [state.new_model(0)]
    with pytest.raises(ModelCannotLeave, match="has learned no label yet"):
        asked.file()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_the_calibration_is_the_folds(data: st.DataObject) -> None:
    """Whatever was scored before: more classes than are stored, ones that are equal, and zeros among them."""
    classes = data.draw(st.integers(1, 14))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    sharp = data.draw(st.sampled_from([0.3, 2.0, 30.0]))
    rows = random.dirichlet(np.full(classes, 1.0 / sharp), size=80)
    calibrator = Calibrator(active=data.draw(st.booleans()), sharpen=data.draw(st.booleans()))
    predictions = own_predictions(list(rows[:60]), range(classes))
    for index, prediction in enumerate(predictions):
        truth = int(random.integers(classes)) if random.random() < 0.3 else prediction.top_class
        calibrator.count(calibrator.calibrate(prediction), truth, index, mixed=True)
    steps = calibrate_step(calibrator, classes)
    for row in rows[60:]:
        (own,) = own_predictions([row], range(classes))
        served = calibrator.calibrate(own)
        found = steps[0](row[None])[0] if steps else row
        assert found[served.classes] == pytest.approx(served.probabilities, abs=1e-6)
        assert found.sum() == pytest.approx(1.0, abs=1e-6)
