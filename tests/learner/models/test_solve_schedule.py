"""How often scores are solved while labels are corrected: few at once, a burst of thousands seldom."""

from itertools import pairwise

import pytest

from prequel.services.learner.models.solve_schedule import SolveSchedule, correction_price

LAG = 748
"""What a solve in turn may wait for, at 1,280 features and 10 classes."""
PRICE = correction_price(1280, 10)


def after(examples: int, patience: int = 1) -> SolveSchedule:
    """A schedule that is up to date after so many examples, with all savings."""
    schedule = SolveSchedule()
    schedule.after_learning(examples, new_class=False, doubled=False)
    schedule.after_solving(LAG, PRICE, patience)
    return schedule


def solves(schedule: SolveSchedule, corrections: int, patience: int = 1) -> list[int]:
    """After which of so many corrections in a row the scores are solved."""
    solved = []
    for number in range(1, corrections + 1):
        schedule.after_correction(new_class=False)
        if schedule.is_due:
            solved.append(number)
            schedule.after_solving(LAG, PRICE, patience)
    return solved


@pytest.mark.parametrize(("examples", "together"), [(300, 32), (5_000, 128), (20_000, 256)])
def test_the_first_corrections_are_seen_at_once_and_of_a_burst_at_most_3_percent_wait(
    examples: int, together: int
) -> None:
    solved = solves(after(examples), 4_000)
    assert solved[:4] == [1, 2, 3, 4]
    waits = [later - earlier for earlier, later in pairwise(solved[4:])]
    assert set(waits) == {together}
    assert together <= max(32, examples / 32)


def test_with_patience_corrections_and_doubled_classes_wait_longer_and_a_new_class_does_not() -> None:
    assert solves(after(300, patience=4), 300, patience=4) == [1, 129, 257]
    for patience, due in ((1, 6), (4, 1)):
        schedule, solved = after(5_000, patience), 0
        for _ in range(20):
            schedule.after_learning(1, new_class=False, doubled=True)
            if schedule.is_due:
                solved += 1
                schedule.after_solving(LAG, PRICE, patience)
        assert solved == due
    schedule = after(5_000, patience=4)
    schedule.after_learning(1, new_class=True, doubled=False)
    assert schedule.is_due


def test_savings_come_back_with_examples() -> None:
    schedule = after(20_000)
    solves(schedule, 1_000)
    schedule.after_learning(128, new_class=False, doubled=False)
    schedule.after_solving(LAG, PRICE, 1)
    assert solves(schedule, 10)[:3] == [1, 2, 3]


def test_a_restored_schedule_goes_on_where_it_was() -> None:
    schedule = after(20_000)
    before = solves(schedule, 1_001)
    restored = SolveSchedule()
    restored.load(schedule.meta())
    assert before
    assert solves(restored, 1_000) == solves(schedule, 1_000)
