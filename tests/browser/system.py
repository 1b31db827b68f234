"""The whole system in one process for the browser to look at; only the backbone is an image of 8x8 pixels."""

import io
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from prequel.shared.config import Settings
from prequel.shared.vectors import Vector
from tests.servers import plain_http
from tests.servers.one_process import FunctionExtractor, OneProcess

SIDE = 8
BACKBONE = "pixels-8"
UNREADABLE = ("undecodable", "not an image that can be read: send a JPEG or PNG")
REACH = 0.4
"""Scales the features so that the test's own model is about as sure as a real one."""


def features(data: bytes) -> Vector:
    small = Image.open(io.BytesIO(data)).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32).ravel() * np.float32(REACH / 255)


def picture(shape: str, shade: int = 255, side: int = 32) -> bytes:
    """A PNG of one of a few shapes, white on black: ``bar``, ``ring``, ``cross``, ``dot``, ``left``, ``low``."""
    rows, columns = np.mgrid[0:side, 0:side] / (side - 1) * 2 - 1
    radius = np.hypot(rows, columns)
    masks = {
        "bar": np.abs(columns) < 0.25,
        "ring": np.abs(radius - 0.7) < 0.2,
        "cross": np.abs(np.abs(rows) - np.abs(columns)) < 0.25,
        "dot": radius < 0.45,
        "left": columns < -0.3,
        "low": rows > 0.3,
    }
    out = io.BytesIO()
    Image.fromarray((masks[shape] * shade).astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


class System(OneProcess):
    """Its features are the image itself, small and grey; ``client`` asks its gateway, with a key where it has one."""

    def __init__(self, folder: Path, **settings: object) -> None:
        extractor = FunctionExtractor(BACKBONE, features, UNREADABLE)
        given = Settings.model_validate({"models": "nearest,softmax", **settings})
        super().__init__(folder, given, extractor, extraction=extractor)

    def open_gateway(self) -> None:
        super().open_gateway()
        key = next(iter(self.settings.keys), "")
        self.client = plain_http.client(self.url, timeout=90, headers={"X-API-Key": key} if key else {})
        until(lambda: self.client.get("/readyz").status_code == 200)

    def close_gateway(self) -> None:
        self.client.close()
        super().close_gateway()

    def send(self, shape: str, label: str | None = None, *, stream: str = "shapes", id: str = "", **drawn: int) -> str:
        """Send an image of a shape, wait for its prediction, then label it; the answer is its id."""
        params = {"wait": "60"}
        headers = {"Content-Type": "image/png", "Idempotency-Key": id or uuid.uuid4().hex}
        sent = self.client.post(
            f"/v1/streams/{stream}/images", content=picture(shape, **drawn), headers=headers, params=params
        )
        assert sent.status_code == 200, sent.text
        if label is not None:
            self.label(sent.json()["id"], label, stream=stream)
        return str(sent.json()["id"])

    def label(self, id: str, label: str | None, *, stream: str = "shapes") -> None:
        body = {"id": id, "label": label}
        answer = self.client.post(f"/v1/streams/{stream}/labels", json=body, params={"wait": "60"})
        assert answer.status_code == 200, answer.text

    def truth(self, id: str, *, stream: str = "shapes") -> str | None:
        """What the system takes for the truth of an image."""
        found = self.client.get(f"/v1/streams/{stream}/predictions/{id}").json()["truth"]
        assert found is None or isinstance(found, str)
        return found


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for what another thread does; fails the test when it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
