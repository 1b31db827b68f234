"""A history that is full: what matters stays, what does not gives way, and then no more is taken."""

import pytest

from prequel.services.learner.fold.decisions import decisions as module
from prequel.services.learner.fold.decisions.decisions import Decision, Decisions
from prequel.shared.log.base import Position


def made(*dos: str) -> Decisions:
    decisions = Decisions()
    for offset, do in enumerate(dos):
        decisions = decisions.apply(Decision(Position(0, offset), f"c{offset}", do, {}, "t", 0.0))
    return decisions


@pytest.mark.parametrize(
    ("given", "kept", "full"),
    [
        (["models.rebuild", "class.delete", "models.rebuild", "class.delete"], ["c1", "c2", "c3"], True),
        (["class.delete", "undo", "class.delete", "class.delete"], ["c0", "c2", "c3"], True),
        (["class.delete", "class.delete", "undo"], ["c0", "c1", "c2"], False),
    ],
)
def test_the_oldest_that_does_not_matter_gives_way(
    given: list[str], kept: list[str], full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DECISIONS", 3)
    decisions = made(*given)
    assert [decision.id for decision in decisions] == kept
    assert decisions.full is full
