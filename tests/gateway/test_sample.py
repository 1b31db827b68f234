"""A random sample among uncertain images: it stays one of all images, whichever are labelled first."""

from collections.abc import Iterator

import numpy as np

from prequel.services.gateway.routes.predictions import (
    PredictionFilter,
    in_random_order,
    is_of_sample,
    least_certain,
)
from prequel.services.gateway.view.gallery import NOWHERE, GalleryRow
from prequel.shared.log.base import Position


def test_a_sample_is_as_sure_as_all_images_though_the_uncertain_ones_are_labelled_first() -> None:
    """Four of the least sure and one of the sample in turn, as the page lists them, until half of all have a label."""
    random = np.random.default_rng(0)
    rows = [
        GalleryRow(b"", Position(0, number), "cat", None, NOWHERE, margin)
        for number, margin in enumerate(random.random(1_000).tolist())
    ]
    labelled, sampled = set[Position](), list[float]()

    def unlabelled(*, sample: bool) -> Iterator[GalleryRow]:
        wanted = PredictionFilter(None, None, None, None, None, sample)
        return (row for row in rows if row.position not in labelled and wanted.matches(row))

    while len(labelled) < 500:
        drawn = in_random_order(unlabelled(sample=True), 1)
        sampled += [row.margin for row in drawn]
        labelled |= {row.position for row in [*least_certain(unlabelled(sample=False), 4), *drawn]}
    assert len(sampled) >= 100
    assert abs(np.mean(sampled) - 0.5) < 3 * np.sqrt(1 / 12 / 100)
    assert abs(sum(map(is_of_sample, rows)) - 200) < 3 * np.sqrt(1_000 * 0.2 * 0.8)
