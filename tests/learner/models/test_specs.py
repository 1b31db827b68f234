"""What a spec may say, and what a wrong one gets."""

import pytest

from prequel.services.learner.models import registry
from prequel.services.learner.models.spec import Stage, parse
from tests.learner.models.suite import SPECS


@pytest.mark.parametrize("spec", [*SPECS, "logistic;rate=0.1", " softmax ; rate = 1e-3 "])
def test_what_exists_passes(spec: str) -> None:
    registry.check(spec)


def test_only_rivers_models_are_pickled() -> None:
    assert [spec for spec in SPECS if registry.is_pickled(spec)] == [spec for spec in SPECS if "river:" in spec]


def test_an_option_is_read() -> None:
    assert parse("a:b;c=d") == [Stage("a", "b", {"c": "d"}, "a:b;c=d")]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "empty part"),
        ("logistic|", "empty part"),
        ("forest", r"no model 'forest'.*logistic.*softmax"),
        ("whiten|logistic", "no transform 'whiten'"),
        ("logistic;rat=1", r"logistic has no option 'rat'; its options are: memory, rate, replay, replays"),
        ("logistic;rate", "not option=value"),
        ("logistic;rate=1;rate=2", "given twice"),
        ("logistic;rate=fast", r"rate=fast.*learning rate.*number from"),
        ("logistic;rate=nan", "number from"),
        ("logistic;rate=-1", "number from"),
        ("softmax;replay=diary", "must be one of none, reservoir, balanced, gaussian"),
        ("logistic:0.1", "takes nothing after a colon"),
    ],
)
def test_a_wrong_part_is_named(spec: str, message: str) -> None:
    with pytest.raises(registry.UnknownModel, match=message):
        registry.check(spec)
