"""The parts of a status that grow with the stream: from the learner, else from the store, else none."""

import time

from prequel.shared import status
from prequel.shared.queries import UnknownStream
from prequel.shared.status import MAX_LABELS, ClassStatus, Confusion, StreamDetail
from tests.gateway.conftest import Served, Start, until
from tests.gateway.echo_learner import EchoLearner, status_of


class Away(EchoLearner):
    """A learner that knows nothing, or that hangs."""

    hangs = 0.0
    asked = 0

    def detail(self, stream: str) -> StreamDetail:
        self.asked += 1
        time.sleep(self.hangs)
        raise UnknownStream(stream)


def stored(stream: str, classes: int = 0) -> StreamDetail:
    class_status = ClassStatus(precision=0.5, recall=None, support=3)
    return StreamDetail(
        stream=stream,
        position="0:7",
        classes={"echo": {f"class {number}": class_status for number in range(classes)}},
        curve=[],
        confusion={"echo": Confusion(labels=["stored"], rows=[[1, 2]])},
    )


def put(gateway: Served, stream: str, labels: int, detail: StreamDetail | None) -> None:
    current = status_of(stream, 1, 0).model_copy(update={"labels": [f"class {number}" for number in range(labels)]})
    gateway.store.put(status.key(stream), current.model_dump_json().encode())
    if detail:
        gateway.store.put(status.detail_key(stream), detail.model_dump_json().encode())


def test_where_no_learner_answers_the_newest_snapshot_s_detail_is_served(start: Start, gateway: Served) -> None:
    away = start(queries=Away(gateway.log, gateway.store))
    put(away, "some", 1, stored("some"))
    put(away, "none", 1, None)
    assert away.client.get("/v1/streams/some/confusion").json()["labels"] == ["stored"]
    assert away.client.get("/v1/streams/none/confusion").json()["labels"] == []
    assert away.client.get("/v1/streams/none/curve").json()["points"] == []


def test_a_learner_that_hangs_delays_no_answer_for_long(start: Start, gateway: Served) -> None:
    learner = Away(gateway.log, gateway.store)
    learner.hangs = 8.0
    away = start(queries=learner)
    put(away, "some", 1, stored("some"))
    began = time.monotonic()
    assert away.client.get("/v1/streams/some/confusion").json()["labels"] == ["stored"]
    assert time.monotonic() - began < 5.0


def test_the_stream_s_own_call_has_all_classes_and_asks_only_where_the_status_has_not(
    start: Start, gateway: Served
) -> None:
    learner = Away(gateway.log, gateway.store)
    away = start(queries=learner)
    put(away, "many", MAX_LABELS + 10, stored("many", MAX_LABELS + 10))
    put(away, "few", 2, stored("few", 2))
    assert len(away.client.get("/v1/streams/many").json()["models"]["echo"]["classes"]) == MAX_LABELS + 10
    assert learner.asked == 1
    assert away.client.get("/v1/streams/few").status_code == 200
    assert learner.asked == 1


def test_a_detail_is_asked_for_again_only_when_the_status_has_changed(gateway: Served) -> None:
    assert gateway.post_image(id="a", wait=10).status_code == 200
    until(lambda: gateway.client.get("/v1/streams/pets").status_code == 200)
    assert gateway.client.get("/v1/streams/pets/confusion").json()["rows"] == [[0, 0]]
    assert gateway.post_label("a", "cat", wait=10).status_code == 200
    until(lambda: gateway.client.get("/v1/streams/pets/confusion").json()["rows"] == [[1, 0]])
