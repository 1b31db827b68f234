"""Events written straight into the log, as any Kafka client may."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image as Picture

from prequel.shared.events.features import encode_features
from prequel.shared.events.images import encode_image
from prequel.shared.events.labels import encode_label
from prequel.shared.events.types import Image
from prequel.shared.log.base import Message, Position

BACKBONE = "by-hand"


def features(stream: str, id: str, values: Sequence[float], label: str | None = None) -> Message:
    image = Image(id, stream, label, 1_000.0, b"", Position(0, 0))
    return encode_features(image, np.asarray(values, np.float32), BACKBONE, source="test")


def label(stream: str, id: str, label: str | None) -> Message:
    return encode_label(stream, id, label, by="test", time=1_000.0, event_id=f"label-{id}-{label}", source="test")


def image(stream: str, id: str, data: bytes) -> Message:
    return encode_image(id, stream, data, label=None, time=1_000.0, source="test", content_type="image/png")


def png(side: int = 32) -> bytes:
    out = io.BytesIO()
    Picture.fromarray(np.arange(side * side, dtype=np.uint8).reshape(side, side)).save(out, "PNG")
    return out.getvalue()
