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
    assert parse("a:b;c=d") == [Stage("a", "b", None, {"c": "d"}, "a:b;c=d")]


def test_the_models_in_parentheses_are_read() -> None:
    (stage,) = parse("mix(slda, l2|mix(ncm, knn;k=3));prior=0.5")
    assert stage.experts == ["slda", "l2|mix(ncm, knn;k=3)"]
    assert (stage.name, stage.argument, stage.options) == ("mix", "", {"prior": "0.5"})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "empty part"),
        ("logistic|", "empty part"),
        ("forest", r"no model 'forest'.*logistic.*softmax"),
        ("whiten|logistic", "no transform 'whiten'"),
        ("logistic;rat=1", r"no option 'rat' \(did you mean rate\?\); its options are: memory, rate, replay, replays"),
        ("rigde", r"no model 'rigde' \(did you mean ridge\?\); there are: .*logistic"),
        ("scael|slda", r"no transform 'scael' \(did you mean scale\?\)"),
        ("logistic;rate", "not option=value"),
        ("logistic;rate=1;rate=2", "given twice"),
        ("logistic;rate=fast", r"rate=fast.*learning rate.*number from"),
        ("logistic;rate=nan", "number from"),
        ("logistic;rate=-1", "number from"),
        ("softmax;replay=diary", "must be one of none, reservoir, balanced, gaussian"),
        ("logistic:0.1", "takes nothing after a colon"),
        ("mix(slda, forest)", r"no model 'forest'.*logistic"),
        ("mix(slda, ncm;k=3)", r"ncm has no option 'k'"),
        ("mix(slda;drift=forget, ncm)", r"drift=forget is not for a model inside parentheses: put it behind them"),
        ("mix(slda, ncm;calibrate=off)", r"calibrate=off is not for a model inside parentheses"),
        ("scale|mix(slda, whiten|ncm)", "no transform 'whiten'"),
        ("mix(slda)", "at least two models"),
        ("mix(slda, slda)", "each once"),
        ("mix(slda, slda;decay=0)", "the same, written in two ways; name it once"),
        ("mix(l2|knn;window=9;k=3, ncm, l2|knn;k=3;window=9)", "the same, written in two ways"),
        ("mix(ncm, mix(slda, ncm), mix(slda;width=2048, ncm))", "the same, written in two ways"),
        (f"mix({', '.join(f'knn;k={k}' for k in range(1, 18))})", "name at most 16 models"),
        (f"mix(ncm, {', '.join(f'mix(ncm, knn;k={k})' for k in range(1, 9))})", "made of 17 models.*name at most 16"),
        ("mix(slda, )", "name at least two models in the parentheses, separated by commas"),
        ("mix()", "name at least two models in the parentheses"),
        ("mix(slda, ncm", "never closes"),
        ("mix(slda, ncm))", "never opens"),
        ("mix(slda, ncm)prior=0.5", "after the parentheses"),
        ("mix(" * 2_000 + "slda" + ", ncm)" * 2_000, "nests more than 20 parentheses"),
        ("mix(slda, ncm);prior=1", "prior=1.*number from"),
        ("slda(ncm, logistic)", "slda is made of no other models"),
        ("l2(ncm)|slda", r"takes no models in parentheses: write l2\|model"),
    ],
)
def test_a_wrong_part_is_named(spec: str, message: str) -> None:
    with pytest.raises(registry.UnknownModel, match=message):
        registry.check(spec)
