"""A real learner's queue, asked in its own process and over HTTP: the same answer."""

from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from prequel.services.gateway.remote.learner import RemoteLearner
from prequel.shared import status
from prequel.shared.opinions import QueueRequest, UnknownExample
from prequel.shared.queries import Queries
from prequel.shared.runtime.health import Health
from prequel.shared.runtime.metrics import Metrics
from prequel.shared.runtime.operations import OperationsServer
from prequel.shared.store.sqlite import SqliteStore
from tests.gateway.echo_learner import status_of
from tests.learner.test_queue import Asked
from tests.servers import plain_http


def test_a_learner_answers_over_http_what_it_answers_in_its_process(tmp_path: Path) -> None:
    asked, store = Asked(60, 120, models="slda,logistic"), SqliteStore(tmp_path / "store.sqlite")
    metrics = Metrics(CollectorRegistry())
    server = OperationsServer("127.0.0.1", 0, health=Health(), metrics=metrics, queries=cast(Queries, asked.queries))
    server.start()
    published = status_of("s", 1, 0).model_copy(update={"address": "{}:{}".format(*server.address)})
    store.put(status.key("s"), published.model_dump_json().encode())
    try:
        with plain_http.client(timeout=30) as http:
            remote = RemoteLearner(store, http)
            for by in ("uncertain", "disagreement", "random", "suspect"):
                request = QueueRequest.model_validate({"by": by, "limit": 5})
                assert remote.queue("s", request) == asked.queries.queue("s", request)
                assert remote.queue("s", request).examples
            assert remote.similar("s", "i99", 5) == asked.queries.similar("s", "i99", 5)
            assert remote.similar("s", "long-gone", 5, "0:3").examples
            with pytest.raises(UnknownExample, match="nobody is not among"):
                remote.similar("s", "nobody", 5)
    finally:
        server.close()
        store.close()
