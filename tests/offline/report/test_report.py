"""The report of an evaluation: one file that needs nothing else, readable whatever is in it, always the same bytes."""

import csv
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prequel.services.offline.evaluation.files import as_json
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.report.page import render
from prequel.services.offline.report.pictures import NoPictures, SourcePictures
from prequel.services.offline.report.templating import TEMPLATES
from prequel.services.offline.report.writing import ReportFailed, write_report
from prequel.shared.images.limits import ImageLimits
from tests.offline.report.evaluations import evaluate, only_one_label, random_examples

ROOT = Path(__file__).resolve().parents[3]
LIMITS = ImageLimits(2**24, 2**24)
CLASSES = ("cat", "dog", "bird")
EMPTY = ("meta", "img")


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate(random_examples(CLASSES, 260), "slda,ncm", held_out=True)


class Reader(HTMLParser):
    """Collects what a page says and refers to; fails where elements are not closed in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text, self.references, self.tags = "", list[str](), list[str]()
        self.feed(page)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.references += [value or "" for name, value in attributes if name in ("src", "href", "srcset", "action")]
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def read(page: str) -> Reader:
    assert page.startswith("<!doctype html>")
    return Reader(page)


def test_the_page_says_what_was_found(evaluation: Evaluation) -> None:
    text = read(render(evaluation, NoPictures())).text.replace("\N{NO-BREAK SPACE}", " ")
    model = evaluation.prequential.models["slda"]
    assert evaluation.held_out
    assert model.accuracy
    for expected in (
        f"slda was right on {100 * model.accuracy:.1f} % of {model.scored} examples",
        f"{100 * (evaluation.held_out.models['slda'].accuracy or 0):.1f} %",
        f"{100 * (evaluation.prequential.models['ncm'].accuracy or 0):.1f} %",
        evaluation.reports["slda"],
        evaluation.held_out.models["ncm"].report,
        evaluation.prequential.verdicts["ncm"].text,
        "not told apart" if evaluation.prequential.verdicts["ncm"].verdict == "open" else "worse",
        *CLASSES,
    ):
        assert expected in text


def test_the_page_needs_nothing_else(evaluation: Evaluation) -> None:
    page = read(render(evaluation, SourcePictures("", LIMITS)))
    beside = re.compile(r"#\w+|data:image/.*|\w+\.(csv|json)")
    assert not [each for each in page.references if not beside.fullmatch(each)]
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in (TEMPLATES / "report.css").read_text()


def test_equal_evaluations_give_equal_bytes_in_any_process(evaluation: Evaluation, tmp_path: Path) -> None:
    stored = tmp_path / "evaluation.json"
    stored.write_text(as_json(evaluation))
    program = (
        "import sys; from pathlib import Path\n"
        "from prequel.services.offline.evaluation.result import Evaluation\n"
        "from prequel.services.offline.report.pictures import NoPictures\n"
        "from prequel.services.offline.report.writing import write_report\n"
        "evaluation = Evaluation.model_validate_json(Path(sys.argv[1]).read_bytes())\n"
        "write_report(evaluation, Path(sys.argv[2]), NoPictures())\n"
    )
    written = write_report(evaluation, tmp_path / "here", NoPictures())
    environment = os.environ | {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    arguments = [sys.executable, "-c", program, str(stored), str(tmp_path / "there")]
    subprocess.run(arguments, env=environment, cwd=tmp_path, check=True)
    assert [*evaluation.prequential.models] == ["slda", "ncm"], "else sorting would change nothing"
    for path in written:
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes(), path.name


def test_the_tables_hold_the_figures(evaluation: Evaluation, tmp_path: Path) -> None:
    write_report(evaluation, tmp_path, NoPictures())
    result = evaluation.prequential
    with (tmp_path / "curve.csv").open(newline="") as file:
        curve = list(csv.DictReader(file))
    assert len(curve) == sum(len(point.accuracy) for point in result.curve)
    assert float(curve[-1]["accuracy"]) == result.curve[-1].accuracy[curve[-1]["model"]]
    with (tmp_path / "confusion-ncm.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert head == ["truth", *result.confusion["ncm"].labels, "no class named"]
    assert [[int(cell) for cell in row[1:]] for row in rows] == result.confusion["ncm"].rows
    with (tmp_path / "models.csv").open(newline="") as file:
        assert [(row["phase"], row["model"]) for row in csv.DictReader(file)] == [
            ("prequential", "slda"),
            ("prequential", "ncm"),
            ("held-out", "slda"),
            ("held-out", "ncm"),
        ]


def test_strange_names_are_shown_and_never_run(tmp_path: Path) -> None:
    label, other = '<script>alert("&")</script>', "\u202etac,"
    names = [f'"><img src=x onerror=alert({row})>.png' for row in range(120)]
    examples = random_examples((label, other, "ü" * 128), 120, names=names)
    evaluation = evaluate(examples, "ncm", source="a</title>&b\udcff")
    (page, *_) = write_report(evaluation, tmp_path, NoPictures())
    shown = read(page.read_text(encoding="utf-8"))
    assert "script" not in shown.tags
    assert label in shown.text
    assert "\u202e" not in shown.text
    assert "ü" * 128 in shown.text
    with (tmp_path / "classes.csv").open(newline="", encoding="utf-8") as file:
        assert label in [row["class"] for row in csv.DictReader(file)]


@pytest.mark.parametrize(
    ("classes", "models", "unscored"),
    [
        pytest.param(CLASSES, "ncm", True, id="nothing-scored"),
        pytest.param(("cat",), "ncm", False, id="one-class"),
        pytest.param([f"class {number}" for number in range(60)], "ncm", False, id="sixty-classes"),
        pytest.param(
            CLASSES, ",".join(["ncm", *(f"slda;decay=0.0{n}" for n in range(1, 8))]), False, id="eight-models"
        ),
    ],
)
def test_every_kind_of_evaluation_has_a_page(classes: list[str], models: str, unscored: bool) -> None:
    examples = random_examples(classes, 200)
    evaluation = evaluate(only_one_label(examples) if unscored else examples, models, held_out=not unscored)
    page = read(render(evaluation, NoPictures()))
    assert all(model in page.text for model in models.split(","))
    assert ("No prediction could be scored" in page.text) == unscored
    assert "None" not in page.text


def test_a_folder_that_is_none_is_said(evaluation: Evaluation, tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.touch()
    with pytest.raises(ReportFailed, match=r"cannot be written into .*file"):
        write_report(evaluation, occupied, NoPictures())


def test_what_cannot_be_replaced_leaves_nothing_half_written(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "curve.csv").mkdir()
    with pytest.raises(ReportFailed, match="make room, or name another folder"):
        write_report(evaluation, tmp_path, NoPictures())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curve.csv", "models.csv", "report.html"]


def test_the_report_has_the_colours_of_the_page() -> None:
    """They are written down twice, for the page's style is served by the gateway and the report's is in the report."""
    page = (ROOT / "services/gateway/web/style.css").read_text()
    colours = re.findall(r"--[\w-]+: #\w+;", (TEMPLATES / "report.css").read_text())
    assert len(colours) > 30
    assert not [each for each in colours if each not in page]
