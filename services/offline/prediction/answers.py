"""What a model file answers, as the gateway would."""

from typing import Any, NamedTuple

import numpy as np

from prequel.services.learner.fold.evaluation.label_set import label_set
from prequel.services.learner.fold.predictions import ModelPrediction
from prequel.services.learner.portable.archive import PortableModel
from prequel.shared.features.base import Vectors
from prequel.shared.queries import Answer


class NamedAnswer(NamedTuple):
    """The answer for one image or row; ``truth`` is its label where its source has one."""

    name: str
    truth: str | None
    answer: Answer

    def json(self) -> dict[str, Any]:
        """For programs, with the fields of the gateway's answer."""
        return {"name": self.name, "truth": self.truth} | self.answer.model_dump()


def answers(model: PortableModel, xs: Vectors) -> list[Answer]:
    """One for each row of ``xs`` [n, dim]: the 10 most probable classes, most probable first. Raises ValueError."""
    order, served = model.ranked(xs)
    shares = served.astype(np.float32)
    unknown = model.unknown(xs, shares[:, 0]).tolist()
    rows = zip(order.tolist(), shares.tolist(), unknown, strict=True)
    return [
        _answer(model, ModelPrediction(classes, shares, len(model.meta.labels)), is_unknown)
        for classes, shares, is_unknown in rows
    ]


def _answer(model: PortableModel, prediction: ModelPrediction, unknown: bool) -> Answer:
    meta = model.meta
    names = [meta.labels[number] for number in prediction.classes]
    classes, size = label_set(prediction, meta.set_threshold)
    return Answer(
        stream=meta.stream,
        position=meta.position,
        model=meta.model,
        label=None if unknown else names[0],
        probabilities=dict(zip(names, prediction.probabilities, strict=True)),
        models={meta.model: names[0]},
        unknown=unknown,
        set=[meta.labels[number] for number in classes] if meta.set_level else [],
        set_level=meta.set_level,
        set_size=size if meta.set_level else 0,
    )
