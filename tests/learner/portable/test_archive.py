"""The file of a model: whole or refused, whatever became of it, and nothing in it is run."""

import io
import json
import pickle
import zipfile
from typing import Any

import numpy as np
import pytest

from prequel.services.learner.portable import steps
from prequel.services.learner.portable.archive import KINDS, ModelFileError, ModelMeta, PortableModel, _digest, load
from tests.learner.portable.asked import Asked

META = ModelMeta(
    stream="s", position="0:7", model="project:4|ncm", backbone="compact-avg-32-0123abcd", dim=3, labels=("a", "b")
)


def small() -> PortableModel:
    projection = steps.Project(np.array([[0, 1], [1, 2], [3, 0]], np.int32), np.ones((3, 2), np.int8), 0.5, 4)
    linear = steps.Linear(np.arange(8.0).reshape(2, 4), np.zeros(2))
    return PortableModel(META, (projection, linear, steps.Softmax(2.0, 0.1)), np.zeros(0), np.zeros(0))


def test_equal_models_are_equal_bytes_and_come_back() -> None:
    xs = np.array([[1, 2, 3], [0, -1, 5]], np.float32)
    data = small().dump()
    back = load(data)
    assert data == small().dump() == back.dump()
    assert back.digest == small().digest
    assert np.array_equal(back.probabilities(xs), small().probabilities(xs))


def test_anyone_can_read_it_with_numpy_alone() -> None:
    with np.load(io.BytesIO(small().dump()), allow_pickle=False) as file:
        about = json.loads(str(file["meta"]))
        assert (about["labels"], about["steps"][1]) == (
            ["a", "b"],
            {"step": "linear", "weights": "1.weights", "offsets": "1.offsets"},
        )
        assert file["1.weights"].shape == (2, 4)


def test_every_kind_of_step_has_a_name_and_is_of_some_model() -> None:
    specs = "l2|mix(knn, logistic, naive-bayes)", "mlp;hidden=8", "ridge;width=8", "project:4|slda"
    assert {type(step) for spec in specs for step in walk(Asked(spec).file().steps)} == set(KINDS.values())


def walk(own: Any) -> Any:
    for step in own:
        yield step
        for expert in getattr(step, "experts", ()):
            yield from walk(expert)


def test_a_file_that_was_cut_off_is_refused_wherever() -> None:
    data = small().dump()
    for end in range(0, len(data), 7):
        with pytest.raises(ModelFileError):
            load(data[:end])


def test_a_file_that_was_altered_is_refused_or_says_the_same() -> None:
    """Some bytes of an archive mean nothing, as the times of its members."""
    data, digest = small().dump(), small().digest
    refused = 0
    for place in range(0, len(data), 3):
        altered = bytearray(data)
        altered[place] ^= 0x10
        try:
            assert load(bytes(altered)).digest == digest
        except ModelFileError:
            refused += 1
    assert refused > len(data) // 3 / 2


def forged(change: Any) -> bytes:
    """A file with another content, and the digest that this has."""
    with np.load(io.BytesIO(small().dump())) as file:
        arrays = {name: file[name] for name in file.files}
    about = json.loads(str(arrays.pop("meta")))
    about.pop("digest")
    change(about, arrays)
    about["digest"] = _digest(about, arrays)
    buffer = io.BytesIO()
    members: dict[str, Any] = {"meta": np.array(json.dumps(about)), **arrays}
    np.savez(buffer, **members)
    return buffer.getvalue()


def put(name: str, value: Any) -> Any:
    return lambda about, arrays: arrays.update({name: value})


@pytest.mark.parametrize(
    "change",
    [
        put("0.places", np.array([[0, 1], [1, 2], [3, 10**6]], np.int32)),
        put("0.places", np.array([[0, 1], [1, 2], [3, -1]], np.int32)),
        put("0.places", np.zeros((2, 2), np.int32)),
        put("0.places", np.zeros((3, 2), np.float64)),
        put("0.signs", np.ones((3, 3), np.int8)),
        put("1.weights", np.zeros((2, 5))),
        put("1.weights", np.array([["a"] * 4] * 2)),
        put("1.offsets", np.zeros(3)),
        lambda about, arrays: about.update(labels=["a"]),
        lambda about, arrays: about.update(format=2),
        lambda about, arrays: about.pop("steps"),
        lambda about, arrays: about["steps"].append({"step": "eval", "code": "1"}),
        lambda about, arrays: about["steps"][2].update(sharpness="1.weights"),
        lambda about, arrays: about["steps"][2].update(more=1),
        lambda about, arrays: about.update(steps="steps"),
    ],
)
def test_a_forged_file_cannot_reach_beyond_its_arrays(change: Any) -> None:
    """Kernels look at no bounds: what does not fit is refused before they see it."""
    with pytest.raises(ModelFileError):
        load(forged(change))


def test_nothing_is_unpickled() -> None:
    class Evil:
        def __reduce__(self) -> Any:
            raise AssertionError("it was pickled or unpickled")

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("meta.npy", pickle.dumps({"a": 1}))
    with pytest.raises(ModelFileError):
        load(buffer.getvalue())
    objects = io.BytesIO()
    np.savez(objects, meta=np.array({"a": 1}, object))
    with pytest.raises(ModelFileError, match="allow_pickle"):
        load(objects.getvalue())


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x93NUMPY", b"{}", pickle.dumps(1)])
def test_what_is_no_file_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFileError):
        load(data)


def test_a_feature_file_is_told_from_a_model() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, features=np.zeros((1, 2)), meta=np.array('{"backbone": "b"}'))
    with pytest.raises(ModelFileError, match="no model file of Prequel, or of another version: it lacks 'digest'"):
        load(buffer.getvalue())


def test_one_array_alone_is_refused() -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    with pytest.raises(ModelFileError, match=r"no \.npz file"):
        load(buffer.getvalue())


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="takes 3 features, not 4"):
        small().probabilities(np.zeros((1, 4), np.float32))
