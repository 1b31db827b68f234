"""A backbone that is chosen for a new stream: checked, known to extractors before the first image, forgotten."""

import pytest

from prequel.shared.backbone_specs import chosen_key
from prequel.shared.log.base import EXAMPLES
from prequel.shared.store.base import Store
from tests.gateway.conftest import Served, Start
from tests.gateway.faults import FaultyStore

COMMANDS = "/v1/streams/chosen/commands"


def chosen(store: Store, stream: str = "chosen") -> bytes | None:
    return store.get(chosen_key(stream))


def test_it_is_noted_before_the_command_and_forgotten_with_the_stream(gateway: Served) -> None:
    answer = gateway.client.post(COMMANDS, json={"do": "stream.create", "backbone": "mobilenetv2-multi"})
    assert (answer.is_success, chosen(gateway.store)) == (True, b"mobilenetv2-multi")
    (record,) = gateway.log.read(EXAMPLES, 0, [0]).values()
    assert b'"backbone":"mobilenetv2-multi"' in record.value
    assert gateway.client.delete("/v1/streams/chosen").is_success
    assert chosen(gateway.store) is None


@pytest.mark.parametrize(
    ("backbone", "why"),
    [
        ("mobilenetv4", "unknown backbone mobilenetv4: use mobilenetv2"),
        ("compact-none", "PREQUEL_POOLING=none"),
        ("Mobile Net", "must be a name"),
    ],
)
def test_what_is_no_backbone_is_422_and_nothing_is_done(shared_gateway: Served, backbone: object, why: str) -> None:
    answer = shared_gateway.client.post(COMMANDS, json={"do": "stream.create", "backbone": backbone})
    assert answer.status_code == 422
    assert (answer.json()["errors"][0]["field"], why in answer.json()["detail"]) == ("backbone", True), answer.text
    assert chosen(shared_gateway.store) is None
    assert shared_gateway.log.bounds(EXAMPLES)[0].end == 0


def test_without_the_store_no_backbone_is_chosen_and_others_are_created_and_deleted(start: Start) -> None:
    store = FaultyStore(start().store)
    gateway = start(store=store)
    store.away = True
    answer = gateway.client.post(COMMANDS, json={"do": "stream.create", "backbone": "mobilenetv2"})
    assert (answer.status_code, "did not take the choice" in answer.json()["detail"]) == (503, True), answer.text
    assert gateway.client.post(COMMANDS, json={"do": "stream.create"}).is_success
    assert gateway.client.delete("/v1/streams/chosen").is_success
