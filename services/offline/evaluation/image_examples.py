"""Examples of images, whose features are extracted while they are evaluated."""

from collections.abc import Generator, Sequence
from contextlib import closing

from prequel.services.offline.evaluation.errors import EvaluationError
from prequel.services.offline.evaluation.examples import Origin
from prequel.services.offline.extraction.extraction import Extraction, readable
from prequel.services.offline.extraction.image_backbone import ImageBackbone
from prequel.services.offline.extraction.image_source import ImageSource
from prequel.services.offline.extraction.report import problem_lines
from prequel.shared.features.base import FeatureRows, RowInfo


class ImageExamples:
    """The images of a source, through a backbone. ``extraction`` has done nothing before. Closing is the caller's."""

    def __init__(self, source: ImageSource, images: ImageBackbone, extraction: Extraction) -> None:
        self._source, self._extraction = source, extraction
        self._images = list(source.images)
        self.origin = Origin(source.name, source.folder, images.backbone.id, source.order)
        self.repeatable = False

    def infos(self) -> Sequence[RowInfo]:
        return [RowInfo("", readable(image.name), image.label, self._source.split_of(image)) for image in self._images]

    def rows(self, order: Sequence[int]) -> Generator[FeatureRows, None, None]:
        with closing(self._extraction.rows([self._images[number] for number in order])) as batches:
            yield from batches

    def times(self) -> Sequence[float]:
        times = [self._source.source.time(image) for image in self._images]
        if None in times:
            raise EvaluationError("--order by-time: these images are no files and have no time; use another order")
        return [time.seconds for time in times if time is not None]

    def notes(self) -> list[str]:
        return list(problem_lines(self._extraction, self._source))
