"""The learners and extractors of other processes, over one HTTP client and one cache of their addresses."""

from dataclasses import dataclass

import httpx

from prequel.services.gateway.remote.addresses import AddressCache
from prequel.services.gateway.remote.extractor import RemoteExtractor
from prequel.services.gateway.remote.learner import RemoteLearner
from prequel.shared.config import Settings
from prequel.shared.runtime.deadlines import LEARNER_CONNECT_S, LEARNER_READ_S
from prequel.shared.store.base import Store

TIMEOUT = httpx.Timeout(LEARNER_READ_S, connect=LEARNER_CONNECT_S)


@dataclass(frozen=True)
class RemoteServices:
    """Both services, and what they are reached with."""

    client: httpx.Client
    addresses: AddressCache
    learner: RemoteLearner
    extractor: RemoteExtractor

    def close(self) -> None:
        self.client.close()
        self.addresses.close()


def connect(settings: Settings, store: Store) -> RemoteServices:
    """Connects to nothing yet; the first call does."""
    addresses = AddressCache(store)
    # trust_env False: a proxy that the environment names cannot reach the addresses inside a cluster.
    client = httpx.Client(timeout=TIMEOUT, headers=_key_header(settings), trust_env=False)
    return RemoteServices(client, addresses, RemoteLearner(addresses, client), RemoteExtractor(addresses, client))


def _key_header(settings: Settings) -> dict[str, str]:
    """Operations servers that listen beyond loopback ask for an API key; all services of a system share them."""
    return {"X-API-Key": settings.keys[0]} if settings.keys else {}
