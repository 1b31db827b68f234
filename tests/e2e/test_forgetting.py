"""A forgotten image is in no file any more, wherever the process was killed, and the state is bit-equal to a replay."""

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.e2e.processes import Up, eventually, scanned
from tests.servers import plain_http

ID, LABEL = "number-plate-BX71", "somebody-s-car"


def noise() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (40, 40, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def files_with(folder: Path, *secrets: bytes) -> list[str]:
    """The files that have one of the secrets anywhere in their bytes."""
    return [
        f"{path.name}: {secret[:20]!r}"
        for path in folder.rglob("*")
        if path.is_file()
        for content in [path.read_bytes()]
        for secret in secrets
        if secret in content
    ]


def status(up: Up) -> dict[str, Any]:
    answer = plain_http.get(f"{up.url}/v1/streams/digits", timeout=30)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def caught_up(up: Up) -> bool:
    try:
        return not status(up)["catching_up"]
    except Exception:
        return False


def test_nothing_is_left_of_it_in_any_file(tmp_path: Path) -> None:
    data = noise()
    secrets = (data[100:160], ID.encode(), LABEL.encode())
    with Up(tmp_path / "data", {"PREQUEL_CHECKPOINT_SECONDS": "0.2"}) as up:
        eventually(up.ready, "ready")
        folder = str(scanned(tmp_path / "digits", 60))
        assert up.run("stream", folder, "--stream", "digits", "--labels", "folder", "--url", up.url).returncode == 0
        with plain_http.client(up.url, timeout=60) as http:
            headers = {"Content-Type": "image/png", "Idempotency-Key": ID}
            image = {"label": LABEL, "wait": "30"}
            sent = http.post("/v1/streams/digits/images", content=data, headers=headers, params=image)
            assert sent.status_code == 200, sent.text
            for label in ("0", LABEL):
                body = {"id": ID, "label": label, "by": "ann"}
                assert http.post("/v1/streams/digits/labels", json=body, params={"wait": 30}).status_code == 200
            assert {name.split(":")[0] for name in files_with(tmp_path / "data", *secrets)} >= {"images.sqlite-wal"}
            command = {"do": "example.forget", "ids": [ID], "id": "f1"}
            answer = http.post("/v1/streams/digits/commands", json=command)
            assert answer.status_code in (200, 202), answer.text
        for pause in (0.0, 0.5):  # before it is applied or replayed, and while it is replayed or erased
            threading.Event().wait(pause)
            up.kill()
            up.start()
            eventually(up.ready, "ready")
        eventually(lambda: caught_up(up), "caught up")
        eventually(lambda: not files_with(tmp_path / "data", *secrets), "erased")
        assert (status(up)["images"], LABEL in status(up)["labels"]) == (60, False)
        assert plain_http.get(f"{up.url}/v1/streams/digits/images/{ID}", timeout=30).status_code == 404
        assert up.terminate() == 0
        assert not files_with(tmp_path / "data", *secrets)
        verdict = up.run("rebuild", "--verify")
        assert "bit-equal" in verdict.stdout, verdict.stdout + verdict.stderr
