"""A figure: what a notebook shows, and what can be saved."""

from pathlib import Path

from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.figures.shapes import Drawing
from prequel.services.offline.figures.text import wrap
from prequel.services.offline.report import reliability
from prequel.services.offline.report.colours import colours
from prequel.services.offline.report.templating import render_template

PADDING = 20
TITLE, WORDS, LINE = 34, 56, 18
"""Baselines of the title and of the first line below it, and the height of such a line."""
FORMATS = (".svg", ".html")


class Figure:
    """One SVG that needs nothing else. Equal figures have equal bytes.

    A notebook shows it where it is the last thing in a cell. It is dark where the system is, on a ground of its own,
    for a notebook may be dark where the system is not. There is no HTML form beside the SVG: notebooks would prefer it,
    and GitHub takes drawings out of HTML.
    """

    def __init__(self, drawing: Drawing) -> None:
        self._drawing = drawing

    @property
    def svg(self) -> str:
        """The whole drawing."""
        drawing = self._drawing
        words = wrap(drawing.words, drawing.width, 13) if drawing.words else []
        top = WORDS + LINE * len(words)
        return render_template(
            "figure.svg",
            drawing=drawing,
            words=words,
            top=top,
            padding=PADDING,
            baselines=(TITLE, WORDS, LINE),
            size=(drawing.width + 2 * PADDING, top + drawing.height + PADDING),
            shapes=[(type(shape).__name__, shape) for shape in drawing.shapes],
            dark=colours().dark,
            diagram=reliability,
        )

    def save(self, path: Path | str) -> Path:
        """Write the figure as .svg, or as .html with the same SVG in it; a file that is there is replaced.

        Raises EvaluationError where it has another name, or cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in FORMATS:
            raise EvaluationError(
                f"{path}: a figure is saved as .svg or .html; browsers and Inkscape make others of it"
            )
        html = path.suffix.lower() == ".html"
        text = render_template("figure.html", title=self._drawing.title, figure=self) if html else self.svg
        try:
            path.write_text(text, encoding="utf-8", newline="\n")
        except OSError as error:
            raise EvaluationError(f"{path} cannot be written: {error.strerror or error}") from error
        return path

    def _repr_svg_(self) -> str:
        return self.svg

    def __html__(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        return f"<Figure: {self._drawing.title}>"
