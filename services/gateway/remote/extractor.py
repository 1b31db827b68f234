"""Features from an extractor in another process, over HTTP, at the address that it publishes in the store."""

from urllib.parse import quote

import httpx
import orjson
from pydantic import ValidationError

from prequel.services.gateway.remote.addresses import AddressReader
from prequel.services.gateway.remote.replies import error_detail
from prequel.shared import extraction
from prequel.shared.events.types import Rejected
from prequel.shared.extraction import Announcement, ExtractorUnavailable
from prequel.shared.vectors import Vector, vector_from_numbers

REJECTION_REASONS = {413: "too-large", 422: "undecodable"}
"""The status codes of an extractor, and the dead letter's reason that each stands for."""


class RemoteExtractor:
    """``shared.extraction.Extraction`` over HTTP. Blocks; raises StoreUnavailable too."""

    def __init__(self, addresses: AddressReader, client: httpx.Client) -> None:
        self._addresses, self._client = addresses, client

    def extract(self, backbone: str, data: bytes) -> Vector:
        response = self._post(self._address(), backbone, data)
        if response.status_code in REJECTION_REASONS:
            raise Rejected(REJECTION_REASONS[response.status_code], error_detail(response))
        if response.status_code != 200:
            raise ExtractorUnavailable(f"the extractor answered {response.status_code}: {error_detail(response)}")
        try:
            return vector_from_numbers(orjson.loads(response.content)["features"])
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
            raise ExtractorUnavailable(
                f"the extractor's answer holds no features ({error}): check that it runs this version of Prequel"
            ) from error

    def _address(self) -> str:
        raw = self._addresses.get(extraction.KEY)
        if raw is None:
            raise ExtractorUnavailable("no extractor has published its address: start one")
        try:
            return Announcement.model_validate_json(raw).address
        except ValidationError as error:
            raise ExtractorUnavailable(
                f"the address that an extractor published cannot be read ({error}): "
                "run the same version of Prequel for extractor and gateway"
            ) from error

    def _post(self, address: str, backbone: str, data: bytes) -> httpx.Response:
        url = f"http://{address}/extract/{quote(backbone, safe='')}"
        try:
            return self._client.post(url, content=data, headers={"Content-Type": "application/octet-stream"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ExtractorUnavailable(
                f"the extractor at {address} cannot be reached ({error}): check that it runs, and its PREQUEL_ADVERTISE"
            ) from error
