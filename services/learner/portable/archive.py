"""The file in which a model leaves: arrays and a description in JSON, whose digest says whether it is whole."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from prequel.services.learner.fold.predictions import TOP
from prequel.services.learner.portable import steps
from prequel.services.learner.portable.calibrated import Calibrate
from prequel.services.learner.portable.steps import Array, Mixture, Step, width_behind
from prequel.shared.errors import PrequelError

META = "meta"
"""The archive's member with the description: a text, as NumPy stores one."""

KINDS: Mapping[str, type[Any]] = {
    "standardise": steps.Standardise,
    "clip": steps.Clip,
    "unit-length": steps.UnitLength,
    "project": steps.Project,
    "random-features": steps.RandomFeatures,
    "linear": steps.Linear,
    "rectify": steps.Rectify,
    "softmax": steps.Softmax,
    "one-vs-rest": steps.OneVsRest,
    "gaussians": steps.Gaussians,
    "neighbours": steps.Neighbours,
    "calibrate": Calibrate,
    "mixture": Mixture,
}
"""Each kind of step by its name in the file. Docs/offline.md says what each computes."""
_ZIP = b"PK"
"""How an .npz file begins, which is an archive."""
_NAMES = {kind: name for name, kind in KINDS.items()}


class ModelFileError(PrequelError, ValueError):
    """These bytes are no whole model file of Prequel; the text says what is wrong."""


class Novel(BaseModel):
    """When the model abstains: a largest probability below ``probability``, or a squared distance to every class's
    mean of more than ``distance`` times its variance. 0 switches one off."""

    model_config = ConfigDict(frozen=True)

    probability: float = 0.0
    distance: float = 0.0


class ModelMeta(BaseModel):
    """What is known of a model beside its arrays.

    ``labels`` are the classes' names in the order of the probabilities, ``model`` its spec, ``position`` that of the
    stream's log which it had learned up to. A label belongs to the set beside a prediction where its probability is
    ``set_threshold`` or more.
    """

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    stream: str
    position: str
    model: str
    backbone: str
    dim: int
    labels: tuple[str, ...]
    novel: Novel = Novel()
    set_threshold: float = 2.0
    set_level: float = 0.0


class PortableModel:
    """A model from features to probabilities, and when it abstains.

    ``means`` [classes, dim] and ``variances`` [classes] are those of the classes that have enough examples, for the
    distance of ``meta.novel``; empty where that is switched off.
    """

    def __init__(self, meta: ModelMeta, steps: tuple[Step, ...], means: Array, variances: Array) -> None:
        self.meta, self.steps, self.means, self.variances = meta, steps, means, variances

    def probabilities(self, xs: Array) -> Array:
        """Of rows float32 [n, dim], float64 [n, classes] in the order of ``meta.labels``. Raises ValueError."""
        if xs.ndim != 2 or xs.shape[1] != self.meta.dim:
            raise ValueError(f"the model takes {self.meta.dim} features, not {xs.shape[-1]}")
        return steps.apply(self.steps, xs)

    def ranked(self, xs: Array) -> tuple[Array, Array]:
        """The TOP classes of each row, by the model's own probabilities as the fold ranks them, and what is served of
        them: int64 and float64 [n, up to TOP]. Raises ValueError."""
        served = self.probabilities(xs)
        calibrated = bool(self.steps) and isinstance(self.steps[-1], Calibrate)
        own = steps.apply(self.steps[:-1], xs) if calibrated else served
        order = np.argsort(-own, axis=1, kind="stable")[:, :TOP]
        return order, np.take_along_axis(served, order, axis=1)

    def unknown(self, xs: Array, largest: Array) -> Array:
        """Bool [n]: whether the model abstains, as ``fold.novelty`` does; ``largest`` [n] are the probabilities."""
        unknown = largest < self.meta.novel.probability
        if not self.meta.novel.distance or not len(self.means):
            return np.asarray(unknown)
        limits = self.meta.novel.distance * np.maximum(self.variances, 1e-12)
        return np.asarray(unknown | [bool((np.square(self.means - x).sum(axis=1) > limits).all()) for x in xs])

    @property
    def digest(self) -> str:
        """SHA-256 over all of it: equal models have equal digests, whoever wrote their files."""
        arrays = dict[str, Array]()
        return _digest(self._description(arrays), arrays)

    def dump(self) -> bytes:
        """The file, as NumPy's .npz; equal models give equal bytes."""
        arrays = dict[str, Array]()
        description = self._description(arrays)
        description["digest"] = _digest(description, arrays)
        buffer = io.BytesIO()
        text = json.dumps(description, sort_keys=True, ensure_ascii=False)
        members: dict[str, Any] = {META: np.array(text), **arrays}
        np.savez(buffer, **members)
        return buffer.getvalue()

    def _description(self, arrays: dict[str, Array]) -> dict[str, Any]:
        arrays |= {"means": self.means, "variances": self.variances} if len(self.means) else {}
        return self.meta.model_dump(mode="json") | {"steps": _described(self.steps, "", arrays)}


def load(data: bytes) -> PortableModel:
    """The model of a file. Nothing in it is run, and nothing unpickled. Raises ModelFileError."""
    arrays = _arrays(data)
    try:
        description = json.loads(str(arrays.pop(META)))
        digest = description.pop("digest")
        if digest != _digest(description, arrays):
            raise ModelFileError("its content is not what its digest says: it was cut off or altered; get it again")
        model = _model(description, arrays)
        if width_behind(model.steps, model.meta.dim) != len(model.meta.labels):
            raise ValueError("there are more labels or fewer than probabilities")
    except ModelFileError:
        raise
    except ValidationError as error:
        problem = error.errors()[0]
        field = ".".join(map(str, problem["loc"]))
        raise ModelFileError(f"its {field} cannot be read ({problem['msg']}): use the version that wrote it") from None
    except KeyError as error:
        raise ModelFileError(f"it is no model file of Prequel, or of another version: it lacks {error}") from None
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ModelFileError(f"it is no model file of Prequel, or of another version ({error})") from None
    return model


def _arrays(data: bytes) -> dict[str, Array]:
    if not data.startswith(_ZIP):
        raise ModelFileError("it is no .npz file that `prequel export` wrote")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, OSError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise ModelFileError(f"it is no whole .npz file ({error}): it was cut off or altered; get it again") from None
    except (MemoryError, NotImplementedError, RuntimeError, SyntaxError) as error:
        raise ModelFileError(f"its arrays cannot be read ({error})") from None


def _model(description: dict[str, Any], arrays: dict[str, Array]) -> PortableModel:
    own = _read(description.pop("steps"), arrays)
    none = np.zeros(0)
    return PortableModel(
        ModelMeta.model_validate(description), own, arrays.get("means", none), arrays.get("variances", none)
    )


def _described(own: tuple[Step, ...], prefix: str, arrays: dict[str, Array]) -> list[dict[str, Any]]:
    """The steps as JSON; their arrays are added to ``arrays`` under names that JSON holds instead."""
    described = []
    for number, step in enumerate(own):
        place = f"{prefix}{number}"
        fields: dict[str, Any] = {"step": _NAMES[type(step)]}
        for name, value in step._asdict().items():  # type: ignore[attr-defined]  # every step is a NamedTuple
            if isinstance(value, np.ndarray):
                arrays[f"{place}.{name}"] = value
                fields[name] = f"{place}.{name}"
            elif isinstance(value, tuple):
                fields[name] = [_described(part, f"{place}.{at}.", arrays) for at, part in enumerate(value)]
            else:
                fields[name] = value
        described.append(fields)
    return described


def _read(described: list[dict[str, Any]], arrays: dict[str, Array]) -> tuple[Step, ...]:
    return tuple(_step(dict(fields), arrays) for fields in described)


def _step(fields: dict[str, Any], arrays: dict[str, Array]) -> Step:
    kind = KINDS[fields.pop("step")]
    values = {
        name: arrays[value]
        if isinstance(value, str)
        else tuple(_read(part, arrays) for part in value)
        if isinstance(value, list)
        else value
        for name, value in fields.items()
    }
    step: Step = kind(**values)
    for name, expected in kind.__annotations__.items():
        value = getattr(step, name)
        is_number = isinstance(value, float | int)
        if is_number != (expected in (float, int)) or (isinstance(value, np.ndarray) and value.dtype.kind not in "fiu"):
            raise ValueError(f"{name} of a step is neither a number nor an array of numbers")
    return step


def _digest(description: Mapping[str, Any], arrays: Mapping[str, Array]) -> str:
    total = hashlib.sha256(json.dumps(description, sort_keys=True, ensure_ascii=False).encode())
    for name in sorted(arrays):
        array = arrays[name]
        total.update(f"\n{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return total.hexdigest()
