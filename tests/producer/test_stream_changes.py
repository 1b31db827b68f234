"""The commands on the life of a stream, over the whole system: `models`, `classes`, `set`, `history`, `undo`, ..."""

import io
import json
import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from prequel.services.producer.client import Client
from prequel.services.producer.commands.classes import change_classes
from prequel.services.producer.commands.forget import forget_images
from prequel.services.producer.commands.history import described, show_history, undo
from prequel.services.producer.commands.models import catching_up_lines, change_models
from prequel.services.producer.commands.settings import change_settings
from prequel.services.producer.commands.streams import show_streams
from prequel.services.producer.confirmation import Confirmation
from prequel.services.producer.errors import ProducerError, WrongUsage
from prequel.services.producer.stream_changes import StreamChanges
from prequel.shared.status import CatchUpStatus
from tests.producer.conftest import Stream
from tests.producer.test_commands import STATUS


class Terminal:
    """Gives commands to the stream `colours`, answers each question, and keeps what was printed and asked."""

    def __init__(self, client: Client, answer: str | None) -> None:
        self.output, self.questions = io.StringIO(), []  # type: ignore[var-annotated]
        console = Console(file=self.output, width=500)

        def ask(question: str) -> str:
            self.questions.append(question)
            return answer or ""

        self.changes = StreamChanges(
            client=client,
            stream="colours",
            console=console,
            confirmation=Confirmation(console, None if answer is None else ask),
            new_id=lambda: uuid.uuid4().hex,
            by="ann",
        )

    def printed(self) -> str:
        text = self.output.getvalue()
        self.output.seek(0)
        self.output.truncate()
        return text

    def models(self, action: str | None = None, *specs: str, begin: str | None = None) -> int:
        return change_models(self.changes, action, specs, begin=begin, as_json=False)

    def classes(self, action: str | None = None, *names: str) -> int:
        return change_classes(self.changes, action, names, as_json=False)

    def set(self, *assignments: str) -> int:
        return change_settings(self.changes, assignments, as_json=False)


@pytest.fixture
def terminal(client: Client, stream: Stream, photos: Callable[[int], Path]) -> Terminal:
    stream(photos(3))
    return Terminal(client, "y")


def test_classes_are_listed_and_renamed(terminal: Terminal, client: Client) -> None:
    assert terminal.classes() == 0
    header, *rows = terminal.printed().splitlines()
    assert header.split() == ["class", "scored", "precision", "recall"]
    assert sorted(row.split()[0] for row in rows) == ["blue", "green", "red"]
    assert terminal.classes("rename", "red", " crimson ") == 0
    assert terminal.printed() == "colours: red is called crimson now\n"
    assert (terminal.questions, sorted(client.stream("colours").labels)) == ([], ["blue", "crimson", "green"])  # type: ignore[union-attr]


def test_old_predictions_have_the_new_name_and_are_found_by_it(terminal: Terminal, client: Client) -> None:
    def truths() -> list[str]:
        return sorted(row["truth"] for row in client.recent("colours", 20))

    terminal.classes("rename", "red", "crimson")
    assert truths() == ["blue"] * 3 + ["crimson"] * 3 + ["green"] * 3
    newest = client.recent("colours", 20)
    named = [[row["label"], *row["models"].values(), *row["probabilities"]] for row in newest]
    assert "red" not in {label for labels in named for label in labels}
    found = client.prediction("colours", next(row["id"] for row in newest if row["truth"] == "crimson"))
    assert found is not None
    assert found["truth"] == "crimson"
    undo(terminal.changes, client.history("colours")["commands"][0]["id"])  # type: ignore[index]
    assert "crimson" not in truths()


def test_a_merge_says_what_becomes_one_class_and_asks(terminal: Terminal, client: Client) -> None:
    assert terminal.classes("rename", "red", "green") == 0
    assert terminal.questions == ["Merge them? [y/N] "]
    asked, done, *more = terminal.printed().splitlines()
    assert re.fullmatch(r"colours: red \(\d scored\) and green \(\d scored\) become one class, green", asked)
    assert done == "colours: red is part of green now"
    assert more == ["a replay of the log is catching up with it; `prequel models colours` says how far it is"]


def test_a_class_that_is_deleted_is_named_first(terminal: Terminal) -> None:
    assert terminal.classes("delete", "red") == 0
    assert terminal.questions == ["Delete it? [y/N] "]
    assert "all labels red (" in terminal.printed()


@pytest.mark.parametrize(
    ("action", "names", "message"),
    [
        ("rename", ["rde", "crimson"], r"no class rde \(did you mean red\?\); `prequel classes colours` lists all"),
        ("merge", ["red", "gren"], r"no class gren \(did you mean green\?\)"),
        ("delete", ["violet"], "no class violet; `prequel"),
    ],
)
def test_an_unknown_class_is_told_the_nearest(
    terminal: Terminal, action: str, names: Sequence[str], message: str
) -> None:
    with pytest.raises(ProducerError, match=message):
        terminal.classes(action, *names)


@pytest.mark.parametrize(
    "give",
    [
        lambda t: t.classes("rename", "red", "red"),
        lambda t: t.classes("rename", "red"),
        lambda t: t.classes("delete", "red", "green"),
        lambda t: t.classes("rename", "red", "x" * 129),
        lambda t: t.classes("rename", "red", "c\u0007t"),
        lambda t: t.classes("rename", "red", " "),
        lambda t: t.models("add"),
        lambda t: t.models("rebuild", "ridge"),
        lambda t: t.models("promote", "a", "b"),
        lambda t: t.models("promote", "a", begin="now"),
        lambda t: t.models("add", "rigde"),
        lambda t: t.set("window"),
        lambda t: t.set("window=many"),
        lambda t: t.set("goal=nan"),
        lambda t: t.set("gaol=0.9"),
        lambda t: t.set("goal=2"),
        lambda t: t.set("goal=0.9", "goal=0.8"),
        lambda t: undo(t.changes, "a b"),
        lambda t: forget_images(t.changes, ["a b"]),
    ],
)
def test_wrong_usage_changes_nothing(terminal: Terminal, client: Client, give: Callable[[Terminal], int]) -> None:
    before = client.history("colours")
    with pytest.raises(WrongUsage):
        give(terminal)
    assert client.history("colours") == before
    assert terminal.questions == []


@pytest.mark.parametrize(
    "give",
    [
        lambda t: t.classes("delete", "red"),
        lambda t: t.classes("merge", "red", "green"),
        lambda t: t.models("remove", "nearest"),
        lambda t: forget_images(t.changes, ["a"]),
    ],
)
def test_what_destroys_asks_and_a_script_must_confirm(
    terminal: Terminal, client: Client, give: Callable[[Terminal], int]
) -> None:
    before = client.history("colours")
    with pytest.raises(ProducerError, match="nothing was done"):
        give(Terminal(client, "n"))
    with pytest.raises(ProducerError, match="without a terminal, confirm with --yes"):
        give(Terminal(client, None))
    assert client.history("colours") == before


def test_models_are_listed_with_what_they_are(terminal: Terminal) -> None:
    assert terminal.models() == 0
    header, row = terminal.printed().splitlines()
    assert header.split()[:3] == ["model", "scored", "accuracy"]
    assert (row.split()[0], row.split()[-1]) == ("nearest", "champion")
    replay = CatchUpStatus(progress=0.43, models=["ridge"], problem="the log is away")
    assert catching_up_lines(STATUS.model_copy(update={"catching_up": replay})) == [
        "catching up 43%; ridge will join; it cannot go on: the log is away"
    ]


def test_a_rebuild_may_agree_to_lose_what_the_log_lost(terminal: Terminal, client: Client) -> None:
    assert terminal.models("rebuild", begin="log") == 0
    assert client.history("colours")["commands"][0]["arguments"] == {"from": "log"}  # type: ignore[index]
    with pytest.raises(WrongUsage, match="from"):
        terminal.models("rebuild", begin="now")


def test_settings_are_set_shown_and_taken_back(terminal: Terminal, client: Client) -> None:
    assert terminal.set() == 0
    assert "colours has no settings of its own; there are title, goal" in terminal.printed()
    assert terminal.set("title=Bright colours", "goal=0.95", "window=2000") == 0
    assert terminal.printed() == "colours: title is Bright colours, goal is 0.95, window is 2000\n"
    assert client.stream("colours").window == 2_000  # type: ignore[union-attr]
    assert terminal.set("window=default") == 0
    assert terminal.printed() == "colours: window is the learner's own again\n"
    assert client.stream("colours").window == 50_000  # type: ignore[union-attr]


@pytest.mark.usefixtures("terminal")
def test_streams_are_listed(client: Client) -> None:
    console = Console(file=io.StringIO(), width=500)
    assert show_streams(client, as_json=False, console=console) == 0
    header, row = console.file.getvalue().splitlines()[-2:]  # type: ignore[attr-defined]
    assert header.split() == ["stream", "images", "labelled", "accuracy", "champion"]
    assert (row.split()[:3], row.split()[-1]) == (["colours", "9", "9"], "nearest")


@pytest.mark.usefixtures("terminal")
def test_streams_are_a_list_for_programs(client: Client) -> None:
    console = Console(file=io.StringIO(), width=500)
    assert show_streams(client, as_json=True, console=console) == 0
    (row,) = json.loads(console.file.getvalue())  # type: ignore[attr-defined]
    assert (row["stream"], row["images"], row["champion"]) == ("colours", 9, "nearest")


def test_history_says_who_did_what_and_undo_takes_it_back(terminal: Terminal, client: Client) -> None:
    terminal.classes("rename", "red", "crimson")
    terminal.set("goal=0.9")
    with pytest.raises(ProducerError, match="colours is unchanged: nearest is the champion already"):
        terminal.models("promote", "nearest")
    terminal.printed()
    assert show_history(terminal.changes, as_json=False) == 0
    header, renamed, goal, refused, *_ = terminal.printed().splitlines()
    assert header.split() == ["when", "by", "what", "id"]
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ann  class.rename red -> crimson  +[0-9a-f]{32}  applied$", renamed
    )
    assert "stream.set goal=0.9" in goal
    assert "refused: nearest is the champion already" in refused
    id = renamed.split()[-2]
    assert undo(terminal.changes, id[:8]) == 0
    assert re.match(r"colours: class.rename red -> crimson of \S+ is undone\n", terminal.printed())
    assert "red" in client.stream("colours").labels  # type: ignore[union-attr]
    show_history(terminal.changes, as_json=False)
    assert "undone by " in terminal.printed().splitlines()[1]
    with pytest.raises(ProducerError, match="is not undone: it is undone"):
        undo(terminal.changes, id)
    with pytest.raises(ProducerError, match="is not undone: it is refused"):
        undo(terminal.changes, refused.split("  refused")[0].split()[-1])


def test_a_model_that_was_removed_is_added_again_not_undone(terminal: Terminal) -> None:
    terminal.models("add", "ridge;width=8", begin="now")
    terminal.models("remove", "ridge;width=8")
    terminal.printed()
    show_history(terminal.changes, as_json=True)
    removed, added = (command["id"] for command in json.loads(terminal.printed())["commands"][:2])
    with pytest.raises(ProducerError, match="is not undone: give prequel models colours add 'ridge;width=8' instead"):
        undo(terminal.changes, removed)
    with pytest.raises(
        ProducerError, match="is not undone: give prequel models colours remove 'ridge;width=8' instead"
    ):
        undo(terminal.changes, added)


def test_a_class_is_counted_by_the_model_that_knows_most_of_it(terminal: Terminal) -> None:
    terminal.models("add", "ncm", begin="now")
    terminal.models("promote", "ncm")
    terminal.classes("delete", "red")
    assert re.search(r"all labels red \([1-9] scored\) will be taken back", terminal.printed())


def test_history_is_a_list_for_programs_with_the_labels(terminal: Terminal) -> None:
    terminal.classes("rename", "red", "crimson")
    terminal.printed()
    assert show_history(terminal.changes, as_json=True) == 0
    history = json.loads(terminal.printed())
    assert history["commands"][0]["arguments"] == {"from": "red", "to": "crimson"}
    assert sum(history["labels"]["why"].values()) == 9


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("nothing", "no command has the id"),
        ("00000", "2 commands have an id"),
        ("0", "0 is too short: give 4 characters"),
    ],
)
def test_an_id_must_be_that_of_one_command(terminal: Terminal, id: str, message: str) -> None:
    changes = replace(terminal.changes, new_id=iter(["000001", "000002"]).__next__)
    for name in ("crimson", "scarlet"):
        change_classes(changes, "rename", ["red" if name == "crimson" else "crimson", name], as_json=False)
    with pytest.raises(ProducerError, match=f"{message}.*; `prequel history colours` lists all"):
        undo(terminal.changes, id)


@pytest.mark.parametrize("call", [lambda c: change_classes(c, None, [], as_json=False), lambda c: undo(c, "0123")])
def test_a_stream_that_does_not_exist_is_told_the_nearest(
    terminal: Terminal, call: Callable[[StreamChanges], int]
) -> None:
    with pytest.raises(ProducerError, match=r"no stream colour \(did you mean colours\?\); `prequel streams`"):
        call(replace(terminal.changes, stream="colour"))


@pytest.mark.parametrize(
    ("do", "arguments", "text"),
    [
        ("class.merge", {"from": "kitten", "to": "cat"}, "class.merge kitten -> cat"),
        ("stream.set", {"goal": 0.9, "window": None}, "stream.set goal=0.9 window=default"),
        ("models.add", {"model": "ridge", "from": "now"}, "models.add ridge now"),
        ("example.forget", {"images": 2}, "example.forget images=2"),
        ("example.forget", {"images": 0}, "example.forget"),
        ("models.rebuild", {}, "models.rebuild"),
        ("models.add", {"model": "x" * 100}, f"models.add {'x' * 46}..."),
    ],
)
def test_a_command_is_a_line(do: str, arguments: dict[str, Any], text: str) -> None:
    assert described({"do": do, "arguments": arguments}) == text
