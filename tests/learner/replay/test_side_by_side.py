"""Back-tests of another backbone: the champion and the models learn from the same images, each from its own vectors."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prequel.services.learner.publishing.stream_status import stream_status
from prequel.services.learner.replay.backtests.champion_elsewhere import ComparisonsElsewhere, NotedPredictions
from prequel.shared import backtests
from prequel.shared.backtests import BacktestRefused
from prequel.shared.events.decoding import decode_example
from prequel.shared.events.features import REEXTRACTED, encode_features
from prequel.shared.events.types import Image
from prequel.shared.log.base import EXAMPLES, Message, Position, Record
from prequel.shared.status import StreamStatus, key
from prequel.shared.vectors import Vector
from tests.learner.building import ExampleLog
from tests.learner.replay.test_backtests import Bench, plain
from tests.learner.replay.test_backtests import bench as bench  # a fixture
from tests.learner.replay.test_switching import CLASSES, OTHER, Pictures, lived

IMAGES = 30
STREAMED = {number: CLASSES[number % 3] if number % 2 else None for number in range(IMAGES)}
"""By image of ``lived``, the label that came with it."""


def learn(bench: Bench, extracted: Sequence[int] = range(IMAGES)) -> Sequence[Record]:
    """A stream of ``lived``, some of whose images were extracted again."""
    pictures = lived("test-3")
    for number in extracted:
        pictures.other(number, STREAMED[number])
    bench.learn(pictures.log.records)
    return pictures.log.records


def shown(state: Any, name: str = "{}") -> dict[str, Any]:
    status = stream_status(state, Position(0, 0), now=0, snapshot=None, address=None)
    return {name.format(spec): model for spec, model in status.models.items()}


def test_the_models_are_those_that_the_stream_shows_after_a_switch(bench: Bench) -> None:
    learn(bench)
    result = bench.run("nearest", "logistic", backbone="other")
    bench.append([bench.examples.command("k1", "stream.switch", backbone="other")])
    for _ in range(6):
        bench.turn()
    live = StreamStatus.model_validate_json(bench.store.get(key("s")) or b"")
    assert (live.backbone, live.catching_up) == (OTHER, None), "the live stream has caught up"
    assert {name: model for name, model in result.models.items() if name.endswith(OTHER)} == {
        f"{spec} on {OTHER}": model for spec, model in live.models.items()
    }
    assert (result.backbone, result.images, result.labelled) == (OTHER, live.images, live.labelled)
    assert result.models["nearest"].scored > 15
    assert bench.known().backbone == OTHER


def test_the_champion_is_on_its_own_vectors(bench: Bench) -> None:
    learn(bench)
    result = bench.run(backbone=OTHER)
    own, other = plain(lived("test-3").log.records, "nearest"), plain(lived(OTHER).log.records, "nearest")
    assert result.models == shown(own) | shown(other, f"{{}} on {OTHER}")
    assert (result.champion, list(result.verdicts), result.notes) == ("nearest", [f"nearest on {OTHER}"], [])
    assert set(result.curve[-1].accuracy) == set(result.confusion) == set(result.models)
    assert bench.known().models == ["nearest"]


def test_images_without_features_of_it_are_left_out_of_both(bench: Bench) -> None:
    missing = (3, 4, 28)
    learn(bench, [number for number in range(IMAGES) if number not in missing])
    result = bench.run("logistic", backbone=OTHER)
    without = ExampleLog()
    for record in lived("test-3").log.records:
        if getattr(decode_example(record), "id", "") not in {f"i{number}" for number in missing}:
            without.append(Message(EXAMPLES, record.key, record.value, record.headers))
    assert result.models["nearest"] == shown(plain(without.records, "nearest"))["nearest"]
    assert result.images == IMAGES - len(missing)
    assert result.notes == [
        f"3 images have no features of {OTHER}, and no part in this: prequel reextract s --backbone {OTHER} makes them "
        "from what is still stored."
    ]
    assert result.models["nearest"].scored == result.models[f"logistic on {OTHER}"].scored


def test_images_older_than_the_ids_that_are_remembered_are_learned_once(tmp_path: Path) -> None:
    pictures = lived("test-3")
    for number in range(IMAGES):
        pictures.other(number, STREAMED[number])
    image = Image("i1", "s", "b", 1_001.0, b"", Position(0, 1))
    again = encode_features(image, np.ones(3, np.float32), "test-3", source="test", extra=(REEXTRACTED,))
    pictures.log.append(again)
    with closing(Bench(tmp_path, window=5, duplicates=5)) as bench:
        bench.learn(pictures.log.records)
        assert bench.run("logistic", backbone=OTHER).images == IMAGES


def test_of_a_part_it_reads_the_images_that_came_in_it(bench: Bench) -> None:
    records = learn(bench)
    begin = next(i for i, event in enumerate(map(decode_example, records)) if getattr(event, "id", "") == "i20")
    shift = bench.log.bounds(EXAMPLES)[0].end - len(records)  # The settings, which the learner wrote first.
    result = bench.run(backbone=OTHER, since=str(begin + shift))
    assert (result.images, result.notes) == (10, [])


def test_a_part_without_images_of_both_is_said(bench: Bench) -> None:
    learn(bench)
    bench.learn([bench.examples.features("late", [1, 0, 0], "a")])
    bench.start(backbone=OTHER, last=1)
    for _ in range(4):
        bench.turn()
    assert bench.known().why == f"no image of this range has features of both test-3 and {OTHER}"


def noisy(count: int) -> Pictures:
    """A stream of pure noise, whose classes the other backbone tells apart; one label in ten comes late."""
    pictures = Pictures(ExampleLog())
    random = np.random.default_rng(5)
    classes = random.integers(3, size=count).tolist()

    def append(number: int, vector: Vector, backbone: str, *, again: bool) -> None:
        label = CLASSES[classes[number]] if number % 10 else None
        image = Image(f"i{number}", "s", label, 1_000.0 + number, b"", Position(0, number))
        extra = (REEXTRACTED,) if again else ()
        pictures.log.append(encode_features(image, vector, backbone, source="test", extra=extra))

    for number in range(count):
        append(number, random.normal(size=3).astype(np.float32), "test-3", again=False)
        if number % 10 == 5 and number > 10:
            pictures.log.label(f"i{number - 5}", CLASSES[classes[number - 5]])
    for number in range(count):
        append(number, np.eye(5, dtype=np.float32)[classes[number]], OTHER, again=True)
    return pictures


def test_a_backbone_that_is_clearly_better_is_called_so(bench: Bench) -> None:
    bench.learn(noisy(200).log.records)
    result = bench.run("nearest", "ncm", backbone=OTHER)
    verdict = result.verdicts[f"nearest on {OTHER}"]
    own, other = result.models["nearest"], result.models[f"nearest on {OTHER}"]
    assert (verdict.verdict, verdict.scored) == ("better", own.scored)
    assert own.scored == other.scored > 180
    assert verdict.text.startswith(f"nearest on {OTHER} would have been better than nearest on test-3 on ")
    rights = [round((model.accuracy or 0) * model.scored) for model in (own, other)]
    assert verdict.wins - verdict.losses == rights[1] - rights[0] > 80


def test_corrections_are_restated_against_the_champion_s_prediction(bench: Bench) -> None:
    pictures = noisy(100)
    for number in range(20, 60):
        pictures.log.label(f"i{number}", None if number % 2 else "a")
    bench.learn(pictures.log.records)
    result = bench.run(backbone=OTHER)
    verdict = result.verdicts[f"nearest on {OTHER}"]
    own, other = result.models["nearest"], result.models[f"nearest on {OTHER}"]
    rights = [round((model.accuracy or 0) * model.scored) for model in (own, other)]
    assert verdict.scored == own.scored < 80
    assert verdict.wins - verdict.losses == rights[1] - rights[0]


def test_predictions_meet_by_label_where_a_model_is_not_scored_for_some() -> None:
    number = iter([0, 2, 3, 1, 2, 3]).__next__
    noted = NotedPredictions(number)
    for index in range(3):
        noted.score(index, 1, [1 if index else 0], mixed=True)
    comparisons = ComparisonsElsewhere(1, noted.predicted, number)
    for index in range(3):
        comparisons.score(index, 1, [1], mixed=True)
    counts = comparisons.counts[0]
    assert (counts.scored, counts.both, counts.wins) == (2, 2, 0)
    comparisons.count(1, 1, [1], -1)
    assert (counts.scored, counts.both) == (1, 1)


@pytest.mark.parametrize(
    ("backbone", "why"),
    [
        ("resnet50", "the log has no features of backbone resnet50 for this stream: prequel reextract s"),
        ("test", "the stream learns from test-3 already"),
        ("other", "other is the beginning of several: name one of other-avg-32-0badcafe, other-avg-64-0badcafe"),
    ],
)
def test_what_cannot_be_compared_is_refused_at_once(bench: Bench, backbone: str, why: str) -> None:
    pictures = lived("test-3")
    pictures.other(0)
    image = Image("i1", "s", None, 1_000.0, b"", Position(0, 1))
    vector = np.zeros(6, np.float32)
    pictures.log.append(encode_features(image, vector, "other-avg-64-0badcafe", source="t", extra=(REEXTRACTED,)))
    bench.learn(pictures.log.records)
    with pytest.raises(BacktestRefused) as refused:
        bench.start("ncm", backbone=backbone)
    assert (refused.value.field, str(refused.value).startswith(why)) == ("backbone", True)
    assert bench.store.get(backtests.key("s", "b1")) is None
