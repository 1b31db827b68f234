"""What a model file predicts: images through its backbone, and feature files."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing
from pathlib import Path

from prequel.services.learner.portable.archive import ModelFileError, PortableModel, load
from prequel.services.offline.extraction.extraction import Extraction
from prequel.services.offline.extraction.image_backbone import ImageBackbone
from prequel.services.offline.extraction.image_source import open_image_source
from prequel.services.producer.errors import SourceError, WrongUsage
from prequel.services.producer.summary import ImageProblem
from prequel.shared.backbone_specs import parse_spec
from prequel.shared.features.base import FeatureRows
from prequel.shared.features.opening import is_feature_file, open_features

ROWS = 512
"""Rows of a feature file at a time: 200 MB at 100,352 features. With ten times as many, only memory grows."""

OpenBackbone = Callable[[str], AbstractContextManager[ImageBackbone]]
"""Loads the backbone of an id. Raises ConfigError."""


def read_model(path: Path) -> PortableModel:
    """The model of a file. Raises SourceError, which names the file and says what to do."""
    if path.suffix.lower() in (".keras", ".onnx", ".h5"):
        raise WrongUsage(
            f"{path} is for other programs: `prequel predict` reads the .npz file that `prequel export S --what model` "
            "writes"
        )
    try:
        return load(path.read_bytes())
    except ModelFileError as error:
        raise SourceError(f"{path}: {error}") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from None


class Inputs:
    """Images, folders of images and feature files in the order in which they were named. To be used once."""

    def __init__(
        self, model: PortableModel, names: list[str], open_backbone: OpenBackbone, stop: threading.Event
    ) -> None:
        """Raises SourceError, WrongUsage where one of them cannot be predicted at all."""
        self._model, self._open, self._stop = model, open_backbone, stop
        self._features = [is_feature_file(Path(name)) for name in names]
        self._names = names
        self.problems: list[ImageProblem] = []
        """Images without an answer, and why."""
        self.copies = 0
        """Images that are the same as another one of their folder, whose answer is theirs."""
        if not all(self._features):
            _require_backbone(model)
        self._sources = [
            None if features else open_image_source(name, labels=None, order="as-is", shuffle=None, stop=stop)
            for name, features in zip(names, self._features, strict=True)
        ]

    def rows(self) -> Iterator[FeatureRows]:
        """All rows; ends early where ``stop`` is set. Blocks. Raises what its parts raise."""
        with ExitStack() as stack:
            images: ImageBackbone | None = None
            for name, source in zip(self._names, self._sources, strict=True):
                if source is None:
                    yield from self._of_file(Path(name))
                    continue
                images = images or stack.enter_context(self._open(self._model.meta.backbone))
                extraction = Extraction(source, images, self._stop)
                yield from extraction.rows(source.images)
                self.problems += extraction.unreadable + extraction.rejected
                self.copies += extraction.copies.count

    def _of_file(self, path: Path) -> Iterator[FeatureRows]:
        with closing(open_features(path)) as reader:
            self._check(path, reader.meta.backbone, reader.meta.dim)
            for rows in reader.batches(ROWS):
                if self._stop.is_set():
                    return
                yield rows

    def _check(self, path: Path, backbone: str, dim: int) -> None:
        meta = self._model.meta
        if dim != meta.dim:
            raise SourceError(f"{path} has {dim} features a row, and the model takes {meta.dim} of {meta.backbone}")
        known = parse_spec(backbone)
        if known and known.digest and backbone != meta.backbone:
            raise SourceError(f"{path} has features of {backbone}, and the model takes those of {meta.backbone}")


def _require_backbone(model: PortableModel) -> None:
    spec = parse_spec(model.meta.backbone)
    if spec is None or not spec.digest:
        raise WrongUsage(
            f"the model takes features of {model.meta.backbone}, which is no backbone of Prequel's: give it a feature "
            "file (.parquet, .npz, .csv), not images"
        )
