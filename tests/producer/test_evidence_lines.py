"""What a run and `prequel status` say at their end: how sure the accuracy is, who is better, when it flatters."""

from dataclasses import replace

from prequel.services.producer.commands.status import _evidence_lines, model_table
from prequel.services.producer.evidence import accuracy_lines
from prequel.services.producer.report import summary_lines
from prequel.services.producer.sources.base import Survey
from prequel.shared.status import LabelOrderStatus, ModelStatus, RandomSampleStatus, StreamStatus, VerdictStatus
from tests.producer.test_commands import STATUS, SUMMARY

MODEL = ModelStatus(
    scored=8,
    accuracy=0.5,
    interval=(0.1234, 0.8766),
    window_accuracy=0.75,
    kappa=None,
    log_loss=None,
    classes={},
)


def verdict(kind: str, text: str) -> VerdictStatus:
    return VerdictStatus(verdict=kind, scored=8, wins=1, losses=2, difference=-0.125, interval=None, since=0, text=text)


def status(**changes: object) -> StreamStatus:
    models = {"slda": MODEL, "logistic": MODEL, "ncm": MODEL}
    return STATUS.model_copy(update={"models": models, **changes})


ALL = status(
    verdicts={"logistic": verdict("better", "logistic has been better."), "ncm": verdict("open", "ncm is open.")},
    random_sample=RandomSampleStatus(labelled=1_200, accuracy=0.9, interval=(0.8, 0.95)),
    label_order=LabelOrderStatus(mixed=False, text="Labels come class after class."),
)


def test_a_run_ends_with_the_interval_and_what_a_better_challenger_needs() -> None:
    expected = [
        "accuracy 0.5000 since the stream began (95 %: 0.1234 to 0.8766), 0.7500 recently (slda)",
        "accuracy 0.9000 (95 %: 0.8000 to 0.9500) over the 1,200 labels of images that were chosen at random",
        "Labels come class after class. "
        "Accuracy then looks better than it is: repeating the last label is nearly always right.",
        "logistic has been better. To let it answer: prequel models pets promote logistic",
    ]
    assert accuracy_lines(ALL) == expected
    assert summary_lines(replace(SUMMARY, status=ALL), Survey(images=10), "correct")[1:5] == expected


def test_a_spec_that_a_shell_would_take_apart_is_quoted() -> None:
    """Its semicolons would end the command, and other models would begin without a word."""
    mixture = status(models={"slda": MODEL, "mix(slda, ncm);prior=0.5": MODEL})
    better = {"mix(slda, ncm);prior=0.5": verdict("better", "It is better.")}
    assert accuracy_lines(mixture.model_copy(update={"verdicts": better}))[-1] == (
        "It is better. To let it answer: prequel models pets promote 'mix(slda, ncm);prior=0.5'"
    )


def test_nothing_more_is_said_where_there_is_nothing_to_say() -> None:
    mixed = status(label_order=LabelOrderStatus(mixed=True, text="They come mixed."))
    assert accuracy_lines(mixed)[1:] == []
    assert accuracy_lines(None) == []
    assert _evidence_lines(mixed) == []


def test_the_status_of_a_stream_has_every_verdict_and_every_interval() -> None:
    assert _evidence_lines(ALL) == [
        "",
        "logistic has been better. To let it answer: prequel models pets promote logistic",
        "ncm is open.",
        *accuracy_lines(ALL)[1:3],
    ]
    table = model_table(ALL.models)
    assert "0.1234 to 0.8766" in table[1]
    assert len({line.index("0.1234") for line in table[1:]}) == 1


def test_labels_of_images_that_came_before_any_class_are_said_not_to_count() -> None:
    """One is in every stream, and not worth a line beside an accuracy."""
    none = MODEL.model_copy(update={"scored": 0, "accuracy": None, "interval": None, "window_accuracy": None})
    for labelled, subject in ((300, "all 300 labelled images"), (1, "the one labelled image")):
        young = status(models={"slda": none}, labelled=labelled, label_reasons={"random": labelled})
        expected = [
            f"no accuracy yet: {subject} came before any class was known, so there was no prediction to score; "
            "label images that come from now on"
        ]
        assert accuracy_lines(young) == expected
        in_order = young.model_copy(update={"label_order": ALL.label_order})
        assert _evidence_lines(in_order)[-1] == "Labels come class after class.", "there is no accuracy that flatters"
        assert _evidence_lines(young) == ["", *expected]
    assert accuracy_lines(status(models={"slda": none}, labelled=0, labels=[])) == [
        "no class is known yet, so nothing is predicted: label a few images, on the page or by `prequel label`"
    ]
    assert accuracy_lines(status(labelled=9))[1:] == []
    sample = RandomSampleStatus(labelled=5, accuracy=0.8, interval=(0.2, 0.99))
    later = status(labelled=308, label_reasons={"random": 305, "producer": 3}, random_sample=sample)
    assert accuracy_lines(later)[1:] == [
        "300 of the 308 labelled images came before any class was known: there was no prediction to score, "
        "so no accuracy counts them",
        "accuracy 0.8000 (95 %: 0.2000 to 0.9900) over 5 of the 305 labels of images that were chosen at random",
    ]
