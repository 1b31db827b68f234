"""Features from an extractor in another process, over HTTP, at the address that it announces in the store."""

from urllib.parse import quote

import httpx
import numpy as np
import orjson
from pydantic import ValidationError

from prequel.services.gateway.remote.learner import Addresses
from prequel.shared import extraction
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import Announcement, ExtractorUnavailable
from prequel.shared.vectors import Vector

REASONS = {413: "too-large", 422: "undecodable"}


class RemoteExtractor:
    """shared.extraction.Extraction over HTTP. Blocks; raises StoreUnavailable besides."""

    def __init__(self, store: Addresses, client: httpx.Client) -> None:
        self._store, self._client = store, client

    def extract(self, backbone: str, data: bytes) -> Vector:
        response = self._ask(self._address(backbone), backbone, data)
        if response.status_code in REASONS:
            raise Rejected(REASONS[response.status_code], _detail(response))
        if response.status_code != 200:
            raise ExtractorUnavailable(f"the extractor answered {response.status_code}: {_detail(response)}")
        try:
            return np.asarray(orjson.loads(response.content)["features"], np.float32)
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ExtractorUnavailable(f"the extractor answered nonsense: {error}") from error

    def _address(self, backbone: str) -> str:
        raw = self._store.get(extraction.announcement_key(backbone))
        if raw is None:
            raise ExtractorUnavailable(f"no extractor with backbone {backbone} has said where it is: start one")
        try:
            return Announcement.model_validate_json(raw).address
        except ValidationError as error:
            raise ExtractorUnavailable(f"what the store says of extractors is none of this version: {error}") from error

    def _ask(self, address: str, backbone: str, data: bytes) -> httpx.Response:
        url = f"http://{address}/extract/{quote(backbone, safe='')}"
        try:
            return self._client.post(url, content=data, headers={"Content-Type": "application/octet-stream"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ExtractorUnavailable(
                f"the extractor at {address} cannot be reached ({error}): check that it runs, and its PREQUEL_ADVERTISE"
            ) from error


def _detail(response: httpx.Response) -> str:
    try:
        return str(orjson.loads(response.content)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return response.text[:200]
