"""The worst mistakes of each model, with their pictures where there are any."""

import base64
from collections.abc import Callable, Sequence
from typing import NamedTuple

from prequel.services.offline.evaluation.result import Mistake
from prequel.services.offline.report import wording
from prequel.services.offline.report.pictures import Pictures
from prequel.shared.images.formats import detect_format, media_type

MAX_FIRST, MAX_OTHERS = 24, 12
"""Mistakes of the first model, and of each other one. Whoever looks at twice as many looks in predictions.csv; eight
models with pictures of twice as many would make a report of megabytes."""


class Tile(NamedTuple):
    """One mistake. ``picture`` is a data: URI, empty where there is none."""

    picture: str
    truth: str
    predicted: str
    sure: str
    truth_sure: str
    name: str
    row: str


class Mistakes(NamedTuple):
    """Those of one model; ``pictured`` is whether any has a picture: if none has, a table says more than tiles."""

    model: str
    tiles: list[Tile]
    pictured: bool


def mistakes_by_model(mistakes: Sequence[Mistake], models: Sequence[str], pictures: Pictures) -> list[Mistakes]:
    """Of each model that made some, in the order in which they came. Blocks for the pictures."""
    shown = _Shown(pictures)
    return [
        mistakes_of(model, own[: MAX_OTHERS if number else MAX_FIRST], shown.uri)
        for number, model in enumerate(models)
        if (own := [mistake for mistake in mistakes if mistake.model == model])
    ]


def mistakes_of(model: str, mistakes: Sequence[Mistake], uri: Callable[[str], str]) -> Mistakes:
    tiles = [
        Tile(
            uri(mistake.name),
            mistake.truth,
            mistake.predicted,
            wording.percent(mistake.probability, 0),
            wording.percent(mistake.truth_probability),
            mistake.name or mistake.id,
            wording.count(mistake.row),
        )
        for mistake in mistakes
    ]
    return Mistakes(model, tiles, any(tile.picture for tile in tiles))


class _Shown:
    """Several models make the same mistakes: each picture is read once."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._uris: dict[str, str] = {}

    def uri(self, name: str) -> str:
        if name not in self._uris:
            self._uris[name] = _uri(self._pictures.thumbnail(name) if name else None)
        return self._uris[name]


def _uri(data: bytes | None) -> str:
    return f"data:{media_type(detect_format(data))};base64,{base64.b64encode(data).decode()}" if data else ""
