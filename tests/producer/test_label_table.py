"""The command `label --csv`: which tables it reads, what it sends, and what it says of that."""

import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from prequel.services.producer.client import Client, connect
from prequel.services.producer.commands.label import label_image
from prequel.services.producer.commands.label_table import label_images
from prequel.services.producer.commands.status import show_status
from prequel.services.producer.confirmation import Confirmation
from prequel.services.producer.connection import GatewayConnection
from prequel.services.producer.errors import GatewayError, ProducerError, RequestRefused, SourceError
from prequel.services.producer.label_sending import LabelSender
from prequel.services.producer.label_table import LabelFormat, LabelRow, LabelTable, load_labels, read_labels
from prequel.services.producer.report import INTERRUPTED, LABELS_REFUSED
from prequel.shared.events.images import content_digest
from tests.producer.conftest import Stream, System, streaming
from tests.producer.test_commands import Quiet
from tests.producer.test_corrections import truths
from tests.producer.test_stream import Photos, printed
from tests.servers import plain_http

FORMAT = LabelFormat("me", "correction")
Labels = Callable[..., int]
"""Runs the command over a text: see ``labelling``."""


def read(text: str | bytes, format: LabelFormat = FORMAT) -> LabelTable:
    data = text.encode() if isinstance(text, str) else text
    return read_labels(io.BufferedReader(io.BytesIO(data)), "labels.csv", format)


@pytest.mark.parametrize(
    "text",
    [
        "id,label\na,cat\nb,dog\n",
        "id,label\r\na,cat\r\nb,dog\r\n",
        "id,label\ra,cat\rb,dog",
        '"id","label"\r\n"a" , "cat"\r\n\r\n"b", "dog"\r\n\r\n',
        "id,label,,\na,cat,,,\n,,\nb,dog\n",
        "id|label\na|cat\nb|dog\n",
        "id;label\r\na;cat\r\nb;dog",
        "sep=;\r\nid;label\r\na;cat\r\nb;dog\r\n",
        "\ufeffid,label\na,cat\nb,dog\n",
        "\ufeffid\tlabel\na\tcat\nb\tdog\n".encode("utf-16-le"),
        ' ID , Label \n"a","cat"\n\n b , dog \n',
        "Label,image_id,note\ncat,a,x\ndog,b,\n",
        "id,label,by,why\na,cat,,\nb,dog,me,correction\n",
        "id,label\na,cat\nb,dog\na,cat\n",
    ],
)
def test_forms_of_one_table(text: str | bytes) -> None:
    table = read(text)
    assert [(row.id, row.label, row.by, row.why) for row in table.rows] == [
        ("a", "cat", "me", "correction"),
        ("b", "dog", "me", "correction"),
    ]
    assert (table.bad, table.empty, table.labels) == ([], 0, {"cat", "dog"})


def test_a_row_may_say_who_and_why() -> None:
    assert read("id,label,by,why\na,cat,ada,random\n").rows == [LabelRow(2, "a", "cat", "ada", "random")]


def test_an_empty_label_retracts_only_if_that_is_asked_for() -> None:
    text = "id,label\na,\nb,dog\nc\n"
    assert ([row.id for row in read(text).rows], read(text).empty) == (["b"], 2)
    table = read(text, FORMAT._replace(retract_empty=True))
    assert ([(row.id, row.label) for row in table.rows], table.empty) == ([("a", None), ("b", "dog"), ("c", None)], 0)


def test_labels_have_one_spelling() -> None:
    assert [row.label for row in read("id,label\na, Ka\u0308se \nb,K\u00e4se\n").rows] == ["K\u00e4se", "K\u00e4se"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a b,cat", "'a b' is not a valid id: use 1 to 128 letters"),
        (",cat", "it names no image"),
        (f"a,{'x' * 129}", "is not a valid label: use 1 to 128 characters"),
        (f"a,cat,{'x' * 129}", "is not a valid by: use at most 128 characters"),
        ("a,cat,me,Random", "'Random' is not a valid why: use a word of 1 to 32 small letters"),
        ("a,cat,me,random, black", "it has 5 columns, the header 4: put a label that contains the separator in quotes"),
        ("a,c\0at", "'c\\x00at' is not a valid label"),
        ("a,c\fat", "'c\\x0cat' is not a valid label"),
        ("\ufeffa,cat", "is not a valid id"),
        ("z,cat", "the image has the label dog on line 2, cat here"),
    ],
)
def test_a_row_that_cannot_be_sent_says_why(row: str, reason: str) -> None:
    table = read(f"id,label,by,why\nz,dog\n{row}\nb,bird\n")
    assert [line for line, _ in table.bad] == [3]
    assert reason in table.bad[0].reason
    assert [each.id for each in table.rows] == ["z", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "labels.csv is empty; its first line must name its columns: id or file, label"),
        ("sep=,\n", "labels.csv is empty"),
        ("a,cat\nb,dog\n", "labels.csv begins with a, cat; its first line must name its columns"),
        ("id,klass\na,cat\n", "labels.csv begins with id, klass"),
        ("id,label,class\na,cat,dog\n", "has two columns for label: label and class"),
        ("id,label\na,\xe4\n".encode("latin-1"), "labels.csv is not UTF-8"),
        ('id,label\na,"cat\nb,dog\n', r'line 2: a quote \("\) that opens on this line is not closed on it'),
        ('id,label\na,cat\nb,"dog\n', r'line 3: a quote \("\) that opens on this line is not closed on it'),
        ('id,label\na,cat\nb,"dog', "line 3: a quote"),
        ('id,label\na,cat\nb,"', "line 3: a quote"),
        ('id,label\na,"cat""\n', "line 2: a quote"),
        ('id,"label', "line 1: a quote"),
        ('id,label\na,"cat\n' + "b,dog\n" * 30_000, "line 2: a value has more than 131,072 characters, or a quote"),
        (f"id,label\na,cat\nb,{'x' * 200_000}\n", "line 3: a value has more than 131,072 characters"),
    ],
)
def test_what_is_no_such_table(text: str | bytes, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(text)


@pytest.mark.parametrize("separator", [",", ";", "|"])
def test_a_label_may_contain_separators_and_quotes(separator: str) -> None:
    """In quotes those of its own table, doubled quotes among them; those of other tables as they are."""
    other = ";" if separator == "," else ","
    text = (
        f'id{separator}label\na{separator}"big{separator} black"\nb{separator}so{other} so\nc{separator}"a ""cat"""\n'
    )
    assert [row.label for row in read(text).rows] == [f"big{separator} black", f"so{other} so", 'a "cat"']


def test_files_are_named_as_the_user_has_them(tmp_path: Path) -> None:
    """With another folder before them, with backslashes, without their extension, beside the table, in quotes."""
    (tmp_path / "photos" / "cat").mkdir(parents=True)
    for number in range(4):
        (tmp_path / "photos" / "cat" / f"{number}.jpg").write_bytes(b"%d" % number)
    (tmp_path / "9.jpg").write_bytes(b"9")
    table = tmp_path / "labels.csv"
    table.write_text(
        f"file,label\ncat/0.jpg,a\ncat\\1.jpg,b\ncat/2,c\n{tmp_path}/photos/cat/3.jpg,d\n9.jpg,e\ncat/4.jpg,f\n"
    )
    read = load_labels(str(table), FORMAT._replace(folders=[tmp_path / "photos"]))
    assert {row.id: row.label for row in read.rows} == {
        content_digest(data): label for data, label in zip((b"0", b"1", b"2", b"3", b"9"), "abcde", strict=True)
    }
    assert [line for line, _ in read.bad] == [7]
    assert f"there is no file 'cat/4.jpg' in {tmp_path / 'photos'} or {tmp_path} or ." in read.bad[0].reason


def test_one_image_in_two_files_may_have_one_label_only(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"the same")
    table = tmp_path / "labels.csv"
    table.write_text("file,label\na.jpg,cat\nb.jpg,dog\n")
    read = load_labels(str(table), FORMAT)
    assert (len(read.rows), read.bad[0].reason) == (1, "the image has the label cat on line 2, dog here")


def test_an_id_wins_over_a_file() -> None:
    assert [row.id for row in read("id,file,label\na,gone.jpg,cat\n").rows] == ["a"]


# Sent.


@pytest.fixture
def label(client: Client, console: Console, stop: threading.Event, tmp_path: Path) -> Labels:
    return labelling(client, console, stop, tmp_path)


def labelling(client: Client, console: Console, stop: threading.Event, folder: Path) -> Labels:
    """A function that runs the command over a text; its keywords are those of ``label_images``."""

    def run(text: str, stream: str = "colours", format: LabelFormat = FORMAT, **options: object) -> int:
        table = folder / "labels.csv"
        table.write_text(text)
        return label_images(
            client,
            stream,
            str(table),
            format=format,
            console=console,
            stop=stop,
            clock=time.monotonic,
            **options,  # type: ignore[arg-type]
        )

    return run


@pytest.fixture
def ids(stream: Stream, client: Client, photos: Photos) -> dict[str, str]:
    """A stream of 60 labelled images: their true labels by id."""
    stream(photos(20))
    return {row["id"]: row["truth"] for row in client.recent("colours", 1_000)}


def table(labels: dict[str, str]) -> str:
    return "id,label\n" + "".join(f"{id},{label}\n" for id, label in labels.items())


def test_many_are_corrected_and_running_it_again_changes_nothing(
    label: Labels, client: Client, system: System, console: Console, ids: dict[str, str]
) -> None:
    """Every status of a label, its count, and the first rows without an effect by name."""
    wrong = {id: "green" if truth == "red" else truth for id, truth in ids.items()}
    assert label(table({**wrong, "not-there": "red"})) == LABELS_REFUSED
    assert "colours: 61 of 61 labels sent" in printed(console)
    assert "40 unchanged, 20 corrected, 1 waiting" in printed(console)
    assert "waiting: 1 row (line 62: not-there, red: the stream has no such image yet" in printed(console)
    assert "accuracy " in printed(console)
    assert truths(client) == {"green": 40, "blue": 20}
    assert {(each.by, each.why) for each in system.labels()} == {("me", "correction")}
    assert label(table(wrong)) == 0
    assert "60 unchanged" in printed(console)
    status = client.stream("colours")
    assert status is not None
    assert status.statuses == {"learned": 60, "corrected": 20, "unchanged": 100, "waiting": 1}


def test_labels_that_come_after_all_images_are_said_to_have_no_accuracy(
    label: Labels, client: Client, console: Console, stream: Stream, photos: Photos
) -> None:
    """Nothing was predicted while no class was known: the table, a single label and the status all say so."""
    stream(photos(4), labels="none")
    first, *others = [row["id"] for row in client.recent("colours", 1_000)]
    assert label_image(client, "colours", first, "red", console=console, why="random") == 0
    assert "learned as red (nothing was predicted when the image came, so no accuracy counts it)" in printed(console)
    assert label(table(dict.fromkeys(others, "red")), format=LabelFormat("me", "random")) == 0
    said = "no accuracy yet: all 12 labelled images came before any class was known"
    assert said in printed(console)
    show_status(client, "colours", as_json=False, console=console)
    assert printed(console).count(said) == 2


def test_labels_are_removed_where_the_table_has_none(
    label: Labels, client: Client, console: Console, ids: dict[str, str]
) -> None:
    some = list(ids)[:7]
    text = "id,label\n" + "".join(f"{id},\n" for id in some)
    with pytest.raises(SourceError, match="has no label to send; rows without one: 7"):
        label(text)
    with pytest.raises(SourceError, match="has no label to send below its header"):
        label("id,label\n")
    assert label(text, format=FORMAT._replace(retract_empty=True)) == 0
    assert "7 retracted" in printed(console)
    assert sum(truths(client).values()) - truths(client)[None] == 53  # type: ignore[index]  # None: no truth


def test_a_bad_row_is_reported_before_anything_is_sent(
    label: Labels, system: System, console: Console, ids: dict[str, str]
) -> None:
    text = table(ids) + "a b,red\n" * 6
    with pytest.raises(
        SourceError, match=r"labels.csv: 6 rows \(line 62: 'a b' is not a valid id.*; and 1 more\)"
    ) as error:
        label(text)
    assert "Nothing was sent: mend them, or leave out such rows with --skip-bad" in str(error.value)
    assert system.labels() == []
    assert label(text, skip_bad=True) == LABELS_REFUSED
    assert "left out: 6 rows (line 62: 'a b' is not a valid id" in printed(console)
    assert len(system.labels()) == 60


def test_new_classes_are_confirmed_once(label: Labels, system: System, console: Console, ids: dict[str, str]) -> None:
    asked: list[str] = []

    def no(question: str) -> str:
        asked.append(question)
        return "n"

    text = table(dict.fromkeys(ids, "gren"))
    with pytest.raises(ProducerError, match="nothing was done"):
        label(text, confirmation=Confirmation(console, no))
    assert (len(asked), system.labels()) == (1, [])
    assert "new to the 3 classes of colours: gren (there is green)" in printed(console)
    assert label(text, confirmation=Confirmation(console, no, yes=True)) == 0
    assert len(asked) == 1


def test_a_stream_that_does_not_exist_is_named(label: Labels, ids: dict[str, str]) -> None:
    with pytest.raises(RequestRefused, match="colours"):
        label(table(ids), "colour")


def test_ctrl_c_ends_it_and_the_same_command_goes_on(
    label: Labels, system: System, console: Console, stop: threading.Event, ids: dict[str, str]
) -> None:
    stop.set()
    assert label(table(ids)) == INTERRUPTED
    assert "0 of 60 labels sent in 0.0 s (0/s): none; stopped: give the same command again to continue" in printed(
        console
    )
    stop.clear()
    assert label(table(ids)) == 0


def test_labels_that_have_no_effect_are_named_by_their_lines(
    tmp_path: Path, console: Console, stop: threading.Event, photos: Photos
) -> None:
    with ExitStack() as stack:
        system = System(tmp_path / "narrow", max_labels=3, window=10)
        stack.callback(system.close)
        client = stack.enter_context(connect(system.url, None, stop=stop, clock=time.monotonic))
        streaming(client, console, stop)(photos(10))
        known = [row["id"] for row in client.recent("colours", 1_000)]
        label = labelling(client, console, stop, tmp_path)
        assert label(table({known[-1]: "teal", known[0]: "teal"})) == LABELS_REFUSED
    assert f"expired: 1 row (line 2: {known[-1]}, teal: the image is older" in printed(console)
    assert f"rejected: 1 row (line 3: {known[0]}, teal: too-many-labels: the stream accepts no more classes" in printed(
        console
    )


class Impatient(Client):
    """Does not wait for the outcomes of the first labels that it sends."""

    requests = 0

    def post_labels(
        self, stream: str, labels: Sequence[Mapping[str, str | None]], wait_s: float = 0
    ) -> list[dict[str, Any]]:
        self.requests += 1
        return super().post_labels(stream, labels, 0 if self.requests == 1 else wait_s)


@pytest.fixture
def impatient(system: System, stop: threading.Event) -> Iterator[Impatient]:
    http = plain_http.client(system.url, timeout=60)
    with Impatient(GatewayConnection(http, stop, time.monotonic, timeout_s=60)) as client:
        yield client


def sender(client: Client, stop: threading.Event, **options: float) -> LabelSender:
    return LabelSender(client, "colours", Quiet(), stop=stop, clock=time.monotonic, **options)


def test_what_has_no_outcome_in_time_is_sent_again_and_counts_once(
    impatient: Impatient, stop: threading.Event, ids: dict[str, str]
) -> None:
    sending = sender(impatient, stop)
    sending.send(read(table(dict.fromkeys(ids, "red"))).rows)
    assert (sending.statuses, impatient.requests) == ({"unchanged": 60}, 2)
    assert truths(impatient) == {"red": 60}


def test_a_learner_that_is_away_is_named(
    impatient: Impatient, system: System, stop: threading.Event, ids: dict[str, str]
) -> None:
    system.stop_workers()
    with pytest.raises(GatewayError, match="has not processed 60 labels that are in the log"):
        sender(impatient, stop, silence_s=0.0).send(read(table(ids)).rows)


def test_batches_are_what_the_learner_takes_a_second_for(client: Client, stop: threading.Event) -> None:
    """From 16 to 5,000 labels, whatever its speed; in order, each once."""

    class Learner(Client):
        """Processes ``speed`` labels a second of a clock that it sets itself."""

        def __init__(self, speed: float) -> None:
            self.speed, self.now, self.batches = speed, 0.0, list[list[str | None]]()

        def stream(self, stream: str) -> None:
            return None

        def post_labels(
            self, stream: str, labels: Sequence[Mapping[str, str | None]], wait_s: float = 0
        ) -> list[dict[str, Any]]:
            self.now += len(labels) / self.speed
            self.batches.append([label["id"] for label in labels])
            return [{"id": label["id"], "position": "0:0", "status": "learned"} for label in labels]

    rows = [LabelRow(number, f"i{number}", "cat", "me", "random") for number in range(20_000)]
    for speed, second in ((3.0, 16), (1_000.0, 1_000), (1e6, 5_000)):
        learner = Learner(speed)
        LabelSender(learner, "s", Quiet(), stop=stop, clock=lambda: learner.now).send(rows)  # noqa: B023  # used here only
        assert [len(batch) for batch in learner.batches[:2]] == [200, second]
        assert [id for batch in learner.batches for id in batch] == [row.id for row in rows]
