"""What an evaluation has found, in words and a few figures: the top of the report."""

from collections.abc import Mapping
from typing import NamedTuple

from prequel.services.offline.evaluation.result import Evaluation
from prequel.services.offline.report import wording
from prequel.shared.status import ModelStatus, VerdictStatus

NOTHING_SCORED = (
    "No prediction could be scored: the examples that have a label were all predicted before any class was known."
)
COMPARISONS = {
    "better": "{models} did better than {champion}",
    "open": "{models} cannot be told apart from {champion}",
    "worse": "{models} did worse than {champion}",
    "silent": "{models} cannot be compared with {champion}, for labels came class after class",
}
"""What the headline says of the models with one verdict."""


class Figure(NamedTuple):
    """A number with its name, and what to know of it."""

    name: str
    value: str
    note: str


class Alert(NamedTuple):
    """What a reader should know before the numbers are believed."""

    title: str
    text: str


def figures_of(evaluation: Evaluation) -> list[Figure]:
    """Those of the first model, the most important first."""
    result = evaluation.prequential
    model = result.models[result.champion]
    return [
        Figure("Prequential accuracy", wording.percent(model.accuracy), _accuracy_note(model)),
        *_held_out_figure(evaluation),
        Figure("Recent accuracy", wording.percent(model.window_accuracy), "newest labels only"),
        Figure("Kappa", wording.decimal(model.kappa), "0 chance, 1 perfect"),
        Figure("Log loss", wording.decimal(model.log_loss), "0 sure and right"),
        Figure("Examples", wording.count(result.images), _labelled_note(evaluation)),
    ]


def _accuracy_note(model: ModelStatus) -> str:
    if model.interval is None:
        return "no prediction was scored"
    return (
        f"{wording.interval(model.interval)} with 95{wording.NBSP}% certainty; each example scored before it is learned"
    )


def _held_out_figure(evaluation: Evaluation) -> list[Figure]:
    held_out = evaluation.held_out
    if held_out is None:
        return []
    model = held_out.models[evaluation.prequential.champion]
    note = f"{wording.quantity(held_out.scored, 'example')}, never learned"
    return [Figure("Held out", wording.percent(model.accuracy), note)]


def _labelled_note(evaluation: Evaluation) -> str:
    result = evaluation.prequential
    if result.labelled == result.images:
        return "all labelled"
    return f"{wording.count(result.labelled)} labelled"


def sentences_of(evaluation: Evaluation) -> list[str]:
    """What came out, for a reader who reads nothing else."""
    result = evaluation.prequential
    champion = result.champion
    model = result.models[champion]
    if model.accuracy is None:
        return [NOTHING_SCORED]
    scored = wording.quantity(model.scored, "example")
    learned = (
        f"{champion} was right on {wording.percent(model.accuracy)} of {scored}, "
        "each of which it predicted before it learned it."
    )
    return [
        learned,
        *_held_out_sentence(evaluation),
        *_comparison(result.verdicts, champion, "While learning"),
        *_comparison(evaluation.held_out.verdicts if evaluation.held_out else {}, champion, "On what was held out"),
    ]


def _held_out_sentence(evaluation: Evaluation) -> list[str]:
    held_out = evaluation.held_out
    if held_out is None:
        return []
    model = held_out.models[evaluation.prequential.champion]
    return [
        f"Of {wording.quantity(held_out.scored, 'example')} that were held out, it predicted "
        f"{wording.percent(model.accuracy)} right ({wording.interval(model.interval)})."
    ]


def _comparison(verdicts: Mapping[str, VerdictStatus], champion: str, where: str) -> list[str]:
    """Which of several models is the best, as far as that is known; ``where`` begins the sentence."""
    groups = [
        said.format(models=wording.listed(models), champion=champion)
        for kind, said in COMPARISONS.items()
        if (models := [model for model, verdict in verdicts.items() if verdict.verdict == kind])
    ]
    return [f"{where}, {'; '.join(groups)}."] if groups else []


def alerts_of(evaluation: Evaluation) -> list[Alert]:
    """Nothing where all is as it should be."""
    result = evaluation.prequential
    if not result.label_order.mixed and result.models[result.champion].accuracy is not None:
        text = f"{result.label_order.text} Repeating the last label is then nearly always right."
        return [Alert("Accuracy looks better than it is.", text)]
    return []


def notes_of(evaluation: Evaluation) -> list[str]:
    """What was left out, and what was chosen for the user."""
    return list(dict.fromkeys([*evaluation.notes, *evaluation.prequential.notes]))


def facts_of(evaluation: Evaluation) -> list[tuple[str, str]]:
    """How the evaluation was made, name by name: enough to make it again."""
    held_out = evaluation.held_out
    return [
        ("Source", evaluation.source),
        *([("Folder", evaluation.folder)] if evaluation.folder else []),
        ("Backbone", evaluation.backbone or "unknown"),
        ("Features", wording.quantity(evaluation.dim, "value")),
        ("Models", ", ".join(evaluation.models)),
        ("Order", evaluation.order),
        ("Seed", str(evaluation.seed)),
        ("Labels come", _label_delay(evaluation.label_delay)),
        *(
            [("Mini-batches", f"of {wording.quantity(evaluation.mini_batch, 'example')}")]
            if evaluation.mini_batch > 1
            else []
        ),
        ("Held out", f"{held_out.split}: {wording.quantity(held_out.images, 'example')}" if held_out else "nothing"),
    ]


def _label_delay(delay: int) -> str:
    return f"{wording.quantity(delay, 'example')} later" if delay else "with each example"
