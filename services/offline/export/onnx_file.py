"""A model as an ONNX file: features in, probabilities out, class names and backbone in its metadata."""

import json

import onnx
from onnx import TensorProto, helper

from prequel import __version__
from prequel.services.learner.portable.archive import PortableModel
from prequel.services.offline.export.graph import lower
from prequel.services.offline.export.onnx_graph import OnnxGraph
from prequel.shared.model_files import CannotConvert

OPSET, IR = 17, 8
"""Of 2022: every runtime of today reads them, and all operations here exist in them."""
MAX_BYTES = 2**31 - 2**20
"""A protocol buffer holds two gigabytes, and ONNX files are one."""


def write(model: PortableModel) -> bytes:
    """The file: ``features`` float32 [n, dim] in, ``probabilities`` float32 [n, classes] out. Raises CannotConvert."""
    meta, graph = model.meta, OnnxGraph()
    wide = graph.cast("features", TensorProto.DOUBLE)
    graph.cast(lower(graph, model.steps, wide, meta.dim), TensorProto.FLOAT, name="probabilities")
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", meta.dim])
    shares = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(meta.labels)])
    whole = helper.make_graph(graph.nodes, "prequel", [features], [shares], graph.constants)
    made = helper.make_model(whole, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
    made.producer_name, made.producer_version = "prequel", __version__
    helper.set_model_props(made, about(model))
    if made.ByteSize() > MAX_BYTES:
        raise CannotConvert("the model is larger than the two gigabytes of an ONNX file: export npz")
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def about(model: PortableModel) -> dict[str, str]:
    """What is known of a model, as texts; ``labels`` is a list in JSON, in the order of the probabilities."""
    meta = model.meta
    return {
        "labels": json.dumps(meta.labels, ensure_ascii=False),
        "backbone": meta.backbone,
        "model": meta.model,
        "stream": meta.stream,
        "position": meta.position,
        "digest": model.digest,
    }
