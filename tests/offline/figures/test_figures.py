"""Figures: whole in themselves, readable without styles, the same bytes each time, whatever names classes have."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.dom import minidom

import pytest

import prequel
from prequel.services.offline.evaluation.files import as_json
from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.figures.figure import Figure
from prequel.services.offline.figures.text import fit, width, wrap
from prequel.services.offline.report.colours import colours
from tests.offline.report.evaluations import evaluate, only_one_label, random_examples

KINDS = ("accuracy", "confusion", "calibration", "mistakes", "classes", "forgetting")
STRANGE = ('<script>alert("&")</script>', "\u202etac\ufffe\x00", "ü" * 128, "猫" * 40)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    names = [f"digits/{row:04}.png" if row % 2 else "" for row in range(300)]
    return evaluate(random_examples(("cat", "dog", "bird"), 300, names=names), "slda,ncm", held_out=True)


def drawn(kind: str, source: Evaluation, **options: Any) -> Figure:
    figure: Figure = getattr(prequel.figures, kind)(source, **options)
    return figure


def parsed(figure: Figure) -> minidom.Document:
    """Notebooks read figures as XML, which is stricter than HTML."""
    return minidom.parseString(figure.svg.encode())


def texts(figure: Figure) -> list[str]:
    found = parsed(figure).getElementsByTagName("text")
    lines = ["".join(part.data for part in each.childNodes if isinstance(part, minidom.Text)) for each in found]
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_needs_nothing_else(evaluation: Evaluation, kind: str) -> None:
    document = parsed(drawn(kind, evaluation))
    elements = document.getElementsByTagName("*")
    assert {each.tagName for each in elements} <= {
        "svg", "style", "rect", "text", "title", "g", "line", "polyline", "polygon", "circle", "image"
    }  # fmt: skip
    links = [each.getAttribute("href") for each in elements if each.hasAttribute("href")]
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert bool(links) == (kind == "mistakes")


@pytest.mark.parametrize("kind", KINDS)
def test_a_figure_is_readable_where_its_styles_are_taken_out(evaluation: Evaluation, kind: str) -> None:
    """On a ground of its own, every text with the colour of the light look: as GitHub may show it."""
    document = parsed(drawn(kind, evaluation))
    for style in document.getElementsByTagName("style"):
        assert style.parentNode
        style.parentNode.removeChild(style)
    ground, *_ = document.getElementsByTagName("rect")
    assert ground.getAttribute("fill") == colours().light["surface"]
    assert (ground.getAttribute("width"), ground.getAttribute("height")) == ("100%", "100%")
    for each in document.getElementsByTagName("text"):
        assert each.getAttribute("fill") in colours().light.values(), each.toxml()


@pytest.mark.parametrize("kind", KINDS)
def test_every_colour_of_a_figure_has_a_dark_one(evaluation: Evaluation, kind: str) -> None:
    document = parsed(drawn(kind, evaluation))
    (style,) = document.getElementsByTagName("style")
    rules = style.toxml()
    for each in document.getElementsByTagName("*"):
        names = each.getAttribute("class").split()
        if {each.getAttribute("fill"), each.getAttribute("stroke"), each.getAttribute("color")} & set(
            colours().light.values()
        ):
            assert any(f".{name} " in rules for name in names), each.toxml()


def test_the_accuracy_is_the_evaluations_own(evaluation: Evaluation) -> None:
    said = texts(drawn("accuracy", evaluation))
    for model, status in evaluation.prequential.models.items():
        assert model in said
        assert any(line.startswith(f"{100 * (status.accuracy or 0):.1f} % right of 259 (") for line in said)
    assert len(parsed(drawn("accuracy", evaluation)).getElementsByTagName("polyline")) == 4
    assert "slda" not in texts(drawn("accuracy", evaluation, models=["ncm"]))


def test_the_matrix_has_every_count(evaluation: Evaluation) -> None:
    for held_out in (False, True):
        found = evaluation.held_out.models["ncm"] if evaluation.held_out else None
        confusion = found.confusion if held_out and found else evaluation.prequential.confusion["ncm"]
        counts = sorted(str(count) for row in confusion.rows for count in row if count)
        totals = sorted(str(sum(row)) for row in confusion.rows)
        said = texts(drawn("confusion", evaluation, model="ncm", held_out=held_out))
        assert sorted(line for line in said if line.isdigit()) == sorted(counts + totals)
        assert said[0] == f"Confusion of ncm, {'held out' if held_out else 'while learning'}"


def test_mistakes_are_pictures_where_there_are_any(evaluation: Evaluation) -> None:
    figure = drawn("mistakes", evaluation, model="slda")
    first = next(each for each in evaluation.mistakes if each.model == "slda")
    assert f"is {first.truth}" in texts(figure)
    assert f"predicted {first.predicted}" in texts(figure)
    without = evaluation.model_copy(update={"mistakes": [each for each in evaluation.mistakes if not each.name]})
    assert not parsed(drawn("mistakes", without, model="slda")).getElementsByTagName("image")
    assert "Predicted" in texts(drawn("mistakes", without, model="slda"))
    assert "It made no mistake." in texts(drawn("mistakes", evaluation.model_copy(update={"mistakes": []})))


def test_forgetting_is_shown_of_each_model(evaluation: Evaluation) -> None:
    said = texts(drawn("forgetting", evaluation))
    for status in evaluation.prequential.models.values():
        assert f"{100 * (status.classes['cat'].forgetting or 0):.1f} %" in said
    assert {"slda", "ncm", "cat", "dog", "bird"} <= set(said)


def test_strange_names_are_shown_and_never_run() -> None:
    examples = random_examples(STRANGE, 200, names=[f"{STRANGE[0]}/{row}" for row in range(200)])
    evaluation = evaluate(examples, "ncm")
    for kind in KINDS:
        figure = drawn(kind, evaluation)
        assert not parsed(figure).getElementsByTagName("script")
        assert "\u202e" not in figure.svg
        assert all(width(line, 12) <= 760 for line in texts(figure))


@pytest.mark.parametrize(
    ("classes", "models", "unscored"),
    [
        pytest.param(("cat", "dog"), "ncm", True, id="nothing-scored"),
        pytest.param(("cat",), "ncm", False, id="one-class"),
        pytest.param([f"class {number}" for number in range(60)], "ncm", False, id="sixty-classes"),
        pytest.param(("a", "b"), ",".join(["ncm", *(f"slda;decay=0.0{n}" for n in range(1, 8))]), False, id="models"),
    ],
)
def test_every_kind_of_evaluation_has_figures(classes: list[str], models: str, unscored: bool) -> None:
    examples = random_examples(classes, 120)
    evaluation = evaluate(only_one_label(examples) if unscored else examples, models)
    for kind in KINDS:
        figure = drawn(kind, evaluation)
        assert not [line for line in texts(figure) if "None" in line or "nan" in line]
        assert len(figure.svg) < 200_000


def test_equal_evaluations_give_equal_bytes_in_any_process(evaluation: Evaluation, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text(as_json(evaluation))
    program = (
        "import prequel; from pathlib import Path\n"
        "from prequel.services.offline.evaluation.result import Evaluation\n"
        "evaluation = Evaluation.model_validate_json(Path('evaluation.json').read_bytes())\n"
        f"for kind in {KINDS}: getattr(prequel.figures, kind)(evaluation).save(f'{{kind}}.svg')\n"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)
    for kind in KINDS:
        assert drawn(kind, evaluation).svg == (tmp_path / f"{kind}.svg").read_text(encoding="utf-8"), kind


def test_a_figure_is_saved_as_a_page_too(evaluation: Evaluation, tmp_path: Path) -> None:
    figure = drawn("accuracy", evaluation)
    page = figure.save(tmp_path / "accuracy.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert figure.svg in page


@pytest.mark.parametrize(
    ("name", "message"),
    [("accuracy.png", r"saved as \.svg or \.html"), ("no/accuracy.svg", "cannot be written: No such file")],
)
def test_what_cannot_be_saved_is_said(evaluation: Evaluation, tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(prequel.PrequelError, match=message):
        drawn("accuracy", evaluation).save(tmp_path / name)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("confusion", {"model": "sdla"}, "no model 'sdla' here: there are slda, ncm"),
        ("accuracy", {"models": ["ncm", "knn"]}, "no model 'knn' here"),
        ("accuracy", {"models": []}, "no model is named"),
        ("calibration", {"held_out": True}, "nothing was held out here: evaluate with holdout=0.2"),
    ],
)
def test_what_is_not_there_is_said(evaluation: Evaluation, kind: str, options: dict[str, Any], message: str) -> None:
    source = evaluation.model_copy(update={"held_out": None})
    with pytest.raises(prequel.PrequelError, match=message):
        drawn(kind, source, **options)


def test_one_model_may_be_named_alone(evaluation: Evaluation) -> None:
    alone = prequel.figures.accuracy(evaluation, models=[*evaluation.prequential.models][1])
    assert (
        alone._repr_svg_()
        == prequel.figures.accuracy(evaluation, models=[[*evaluation.prequential.models][1]])._repr_svg_()
    )


def test_what_cannot_be_drawn_is_said(evaluation: Evaluation) -> None:
    nothing: Any = None
    with pytest.raises(prequel.PrequelError, match=r"NoneType is nothing to draw: give what prequel\.evaluate"):
        prequel.figures.accuracy(nothing)
    backtest: Any = evaluation.prequential
    with pytest.raises(prequel.PrequelError, match="only an evaluation knows its worst mistakes"):
        prequel.figures.mistakes(backtest)


def test_texts_are_cut_and_broken_to_fit() -> None:
    assert fit("a", 0, 10) == "\N{HORIZONTAL ELLIPSIS}"
    assert width(fit("x" * 200, 100, 12), 12) <= 100
    assert wrap("", 100, 12) == [""]
    assert all(width(line, 12) <= 100 for line in wrap("word " * 40 + "x" * 90, 100, 12))
