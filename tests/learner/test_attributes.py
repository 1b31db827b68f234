"""The attributes of others reach prediction and outcome, whether features are in memory or read back from the log."""

import pytest

from prequel.shared.events.types import Outcome, Prediction
from tests.learner.building import ExampleLog, new_fold

TRACE = {"traceparent": "00-abc-def-01", "camera": "north"}


def travelled(log: ExampleLog, cached: int, batch: int) -> list[tuple[str, dict[str, str]]]:
    fold = new_fold(log, cached=cached)
    attributes: list[tuple[str, dict[str, str]]] = []
    for start in range(0, len(log.records), batch):
        for output in fold.apply(log.records[start : start + batch]).outputs:
            if isinstance(output.event, Prediction):
                attributes.append((f"prediction {output.event.id}", dict(output.event.attributes)))
            elif isinstance(output.event, Outcome):
                attributes.append((f"{output.event.status} {output.event.id}", dict(output.event.attributes)))
    return attributes


@pytest.mark.parametrize("cached", [0, 1, 20_000])
@pytest.mark.parametrize("batch", [1, 3, 100])
def test_attributes_of_outcomes_depend_only_on_the_log(cached: int, batch: int) -> None:
    log = ExampleLog()
    log.label("early", "cat")
    log.features("early", [1, 0], attributes=TRACE)
    log.features("late", [0, 1], attributes=TRACE)
    log.features("plain", [1, 1])
    for label in ("cat", "cat", "dog", None):
        log.label("late", label)
        log.label("plain", label)
    log.label("unknown", "cat")
    assert travelled(log, cached, batch) == [
        ("waiting early", {}),
        ("prediction early", TRACE),
        ("learned early", TRACE),
        ("prediction late", TRACE),
        ("prediction plain", {}),
        *(
            (f"{status} {id}", TRACE if id == "late" and status != "unchanged" else {})
            for status in ("learned", "unchanged", "corrected", "retracted")
            for id in ("late", "plain")
        ),
        ("waiting unknown", {}),
    ]
