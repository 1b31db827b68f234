"""The commands `label` and `status`, what they print, and the progress of `stream`."""

import io
import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.label import label_image
from prequel.services.producer.commands.status import show_status
from prequel.services.producer.errors import ProducerError, WrongUsage
from prequel.services.producer.evidence import accuracy_lines
from prequel.services.producer.progress import Progress, progress_on
from prequel.services.producer.report import exit_code, print_lines, summary_lines
from prequel.services.producer.run import Run
from prequel.services.producer.sources.base import Survey
from prequel.services.producer.sources.opening import open_source
from prequel.services.producer.summary import ImageProblem, Summary
from prequel.shared.retention.usage import measure_log
from prequel.shared.status import LabelOrderStatus, ModelStatus, StreamStatus, VerdictStatus
from tests.producer.conftest import System

STATUS = StreamStatus(
    stream="pets",
    position="0:9",
    updated_at=0.0,
    backbone="compact",
    dim=3,
    images=9,
    labelled=9,
    label_coverage=1.0,
    pending=0,
    waiting=0,
    labels=["cat"],
    statuses={},
    champion="slda",
    window=10,
    models={
        "slda": ModelStatus(scored=8, accuracy=0.5, window_accuracy=0.75, kappa=None, log_loss=None, classes={}),
    },
)
SUMMARY = Summary(
    stream="pets",
    sent=10,
    predicted=10,
    labelled=10,
    new=10,
    rejected=[],
    unreadable=[],
    unanswered=[],
    seconds=2.0,
    status=STATUS,
    interrupted=False,
)


class Quiet:
    def show(self, answered: int, seconds: float, status: object) -> None: ...

    def show_waiting(self, reason: str) -> None: ...


@pytest.fixture
def colours(client: Client, stop: threading.Event, photos: Callable[[int], Path]) -> list[str]:
    """A stream of three labelled images; their ids."""
    source = open_source(str(photos(1)))
    entries = list(source.images(Survey()))
    progress: Progress = Quiet()
    run = Run(source, "colours", client, progress=progress, stop=stop, clock=time.monotonic)
    assert run.run(entries).predicted == 3
    return [source.load(entry).id for entry in entries]


def printed(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    console.file = io.StringIO()
    return text


def test_labels_are_given_corrected_and_removed(client: Client, console: Console, colours: list[str]) -> None:
    outcomes = []
    for label in ("blue", "teal", "teal", None):
        assert label_image(client, "colours", colours[0], label, console=console) == 0
        outcomes.append(printed(console).partition(": ")[2].strip())
    assert outcomes == [
        "the label was blue already",
        "corrected from blue to teal",
        "the label was teal already",
        "the label teal is removed",
    ]


def test_a_label_says_why_it_was_given(client: Client, console: Console, system: System, colours: list[str]) -> None:
    label_image(client, "colours", colours[0], "teal", console=console)
    label_image(client, "colours", colours[1], "teal", console=console, why="random")
    assert [(label.by, label.why) for label in system.labels()] == [
        ("prequel label", "correction"),
        ("prequel label", "random"),
    ]
    with pytest.raises(WrongUsage, match="'No reason' is not a reason for a label: use a word of 1 to 32"):
        label_image(client, "colours", colours[0], "blue", console=console, why="No reason")


def test_a_label_may_come_before_its_image(client: Client, console: Console, colours: list[str]) -> None:
    assert label_image(client, "colours", "later", "red", console=console) == 0
    assert "there is no such image yet; the label waits for it" in printed(console)


@pytest.mark.parametrize(
    ("stream", "id", "label", "message"),
    [
        ("No", "a", "b", "not a valid stream name"),
        ("pets", "a b", "b", "not a valid image id"),
        ("pets", "a", "b\x01", "not a valid label"),
        ("pets", "a", "", "not a valid label"),
    ],
)
def test_invalid_labels_are_refused_before_they_are_sent(
    stream: str, id: str, label: str, message: str, client: Client, console: Console
) -> None:
    with pytest.raises(ProducerError, match=message):
        label_image(client, stream, id, label, console=console)


def test_status_of_all_and_of_one(client: Client, console: Console, colours: list[str]) -> None:
    assert show_status(client, None, as_json=False, console=console) == 0
    row = next(line for line in printed(console).splitlines() if "colours" in line)
    assert row.split() == ["colours", "3", "3", "0", "3", "0.0000", "0.0000", "nearest", "mean-colour"]
    show_status(client, "colours", as_json=False, console=console)
    assert "nearest" in printed(console).splitlines()[-1]


def test_sizes_come_with_the_time_they_are_of(client: Client, console: Console, system: System) -> None:
    """They are measured now and then: after a run they may be those from before it."""
    system.usage = measure_log(system.log, system.store, system.settings, time.time() - 40)
    show_status(client, None, as_json=False, console=console)
    lines = printed(console).splitlines()
    assert "images" in [line.split(" ")[0] for line in lines]
    assert re.fullmatch(r"\(measured 4\d s ago\)", lines[-1])


def test_status_as_json(client: Client, console: Console, colours: list[str]) -> None:
    show_status(client, None, as_json=True, console=console)
    show_status_of_all = json.loads(printed(console))
    show_status(client, "colours", as_json=True, console=console)
    one = json.loads(printed(console))
    assert [status["stream"] for status in show_status_of_all] == ["colours"]
    assert (one["stream"], one["images"]) == ("colours", 3)


def test_status_of_nothing(client: Client, console: Console) -> None:
    assert show_status(client, None, as_json=False, console=console) == 0
    assert "no streams yet" in printed(console)
    show_status(client, None, as_json=True, console=console)
    assert json.loads(printed(console)) == []
    with pytest.raises(ProducerError, match="there is no stream pets yet"):
        show_status(client, "pets", as_json=False, console=console)


def test_names_are_printed_as_they_are(client: Client, console: Console, colours: list[str]) -> None:
    assert label_image(client, "colours", "cam:a:1", ":cat: [red]", console=console) == 0
    print_lines(console, "x[/red]:cat:.jpg")
    with progress_on(console, "colours", 3, iter([0.0, 5.0, 5.0]).__next__) as progress:
        progress.show_waiting("cam:a:1")
    text = printed(console)
    for part in ("colours cam:a:1: ", "x[/red]:cat:.jpg", "colours: waiting: cam:a:1"):
        assert part in text


def test_a_bar_on_a_terminal() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=150)
    with progress_on(console, "pets", 200, time.monotonic) as progress:
        progress.show(100, 2.0, STATUS)
        progress.show_waiting("learner: [waits]")
    text = printed(console)
    assert "pets" in text
    assert "100/200" in text
    assert "50/s" in text
    assert "accuracy 0.500" in text
    assert "learner: [waits]" in text


def test_lines_where_there_is_no_terminal(console: Console) -> None:
    seconds = iter([0.0, 1.0, 5.0, 5.0, 6.0, 10.0, 10.0])
    with progress_on(console, "pets", 2_000, lambda: next(seconds)) as progress:
        progress.show(100, 1.0, None)
        progress.show(1_000, 5.0, STATUS)
        progress.show_waiting("")
        progress.show_waiting("learner: [waits]")
        progress.show_waiting("learner: [waits]")
        progress.show(1_001, 6.0, STATUS)
        progress.show(2_000, 10.0, None)
    assert printed(console).splitlines() == [
        "pets: 1,000/2,000 images  200/s  accuracy 0.500",
        "pets: waiting: learner: [waits]",
        "pets: 2,000/2,000 images  200/s",
    ]


def test_a_summary_names_what_went_wrong() -> None:
    summary = replace(
        SUMMARY,
        rejected=[ImageProblem(f"{number}.jpg", "undecodable") for number in range(7)],
        unreadable=[ImageProblem("gone.jpg", "does not exist")],
        unanswered=["old.jpg"],
        interrupted=True,
    )
    lines = summary_lines(summary, Survey(images=20, ignored=3, unreadable=["locked/: Permission denied"]), "correct")
    assert lines[0].startswith("pets: 10 of 20 images sent in 2.0 s (5/s), 10 with a label, 10 new to the stream; stop")
    assert lines[1] == "accuracy 0.5000 since the stream began, 0.7500 recently (slda)"
    assert lines[2].startswith("rejected: 7 (0.jpg: undecodable; ")
    assert lines[2].endswith("; and 2 more)")
    assert lines[3] == "not readable: 2 (gone.jpg: does not exist; locked/: Permission denied)"
    assert lines[4].startswith("without an answer: 1, for example old.jpg.")
    assert lines[5] == "ignored, not images by their names: 3"


def test_a_summary_says_what_flatters_and_who_is_better() -> None:
    def verdict(kind: str) -> VerdictStatus:
        text = f"It is {kind}."
        return VerdictStatus(
            verdict=kind, scored=9, wins=1, losses=0, difference=None, interval=None, since=0, text=text
        )

    verdicts = {kind: verdict(kind) for kind in ("better", "worse", "open", "silent")}
    order = LabelOrderStatus(mixed=False, text="Labels come class after class.")
    said = accuracy_lines(STATUS.model_copy(update={"verdicts": verdicts, "label_order": order}))[1:]
    assert said == [
        "Labels come class after class. "
        "Accuracy then looks better than it is: repeating the last label is nearly always right.",
        "It is better. To let it answer: prequel models pets promote better",
    ]
    mixed = LabelOrderStatus(mixed=True, text="The newest 200 labels come mixed.")
    assert len(accuracy_lines(STATUS.model_copy(update={"label_order": mixed}))) == 1
    assert accuracy_lines(None) == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, 0),
        ({"interrupted": True}, 130),
        ({"unanswered": ["a"]}, 0),
        ({"predicted": 0}, 1),
        ({"rejected": [("a", "b")]}, 0),
    ],
)
def test_exit_codes(changes: dict[str, object], code: int) -> None:
    assert exit_code(replace(SUMMARY, **changes)) == code  # type: ignore[arg-type]  # a mapping of any fields
