"""The calls for what to look at next and for near examples: what is wrong is said, and what is right is asked."""

import pytest

from prequel.shared.opinions import PLACE_RULE, ExampleQueue, QueueRequest, SimilarExamples
from prequel.shared.queries import UnknownStream
from tests.gateway.conftest import Served, Start
from tests.gateway.echo_learner import EchoLearner
from tests.gateway.test_errors import problem

QUEUE = "/v1/streams/pets/queue"


@pytest.fixture
def pets(shared_gateway: Served) -> Served:
    for number in range(5):
        shared_gateway.post_image(id=f"q{number}", wait=10)
    return shared_gateway


def test_a_queue_is_read_page_by_page(pets: Served) -> None:
    found, after = list[str](), ""
    for _ in range(10):
        params = {"by": "uncertain", "limit": "2"} | ({"after": after} if after else {})
        answer = pets.client.get(QUEUE, params=params).json()
        found += [example["id"] for example in answer["examples"]]
        after = answer["next"]
        if not after:
            break
    assert {f"q{number}" for number in range(5)} <= set(found)
    assert len(found) == len(set(found)) == answer["asked"]
    ExampleQueue.model_validate(answer)


def test_what_is_asked_reaches_the_learner(start: Start) -> None:
    class Noting(EchoLearner):
        def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
            requests.append(request)
            return super().queue(stream, request)

    requests = list[QueueRequest]()
    gateway = start()
    gateway.post_image(id="a", wait=10)
    noting = Noting(gateway.log, gateway.store)
    noting._positions = gateway.learner._positions
    asked = start(queries=noting)
    params = {"by": "suspect", "predicted": "cat", "truth": "dog", "sample": "false", "limit": "3", "after": "5:7"}
    assert asked.client.get(QUEUE, params=params).status_code == 200
    assert requests == [QueueRequest(by="suspect", predicted="cat", truth="dog", sample=False, limit=3, after="5:7")]


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("", "by"),
        ("by=chance", "by"),
        ("by=random&limit=0", "limit"),
        ("by=random&limit=201", "limit"),
        ("by=random&after=5", "after"),
        ("by=random&after=-1:3", "after"),
        ("by=random&sort=recent", "sort"),
        ("by=random&sample=perhaps", "sample"),
        ("by=uncertain&truth=cat", "truth"),
    ],
)
def test_what_is_wrong_is_named(pets: Served, query: str, named: str) -> None:
    answer = problem(pets.client.get(f"{QUEUE}?{query}"), 422)
    assert answer["errors"][0]["field"].endswith(named)


def test_a_wrong_place_is_explained_without_a_regular_expression(pets: Served) -> None:
    answer = problem(pets.client.get(f"{QUEUE}?by=random&after=x"), 422)
    assert answer["errors"][0]["message"] == f"must be {PLACE_RULE}"


def test_of_no_stream_the_nearest_is_told(pets: Served) -> None:
    assert problem(pets.client.get("/v1/streams/pet/queue?by=random"), 404)["nearest"] == "pets"
    assert problem(pets.client.get("/v1/streams/pet/similar/a"), 404)["nearest"] == "pets"


def test_near_examples(pets: Served) -> None:
    answer = pets.client.get("/v1/streams/pets/similar/q1")
    assert SimilarExamples.model_validate(answer.json()).id == "q1"
    assert "not among the newest" in problem(pets.client.get("/v1/streams/pets/similar/nobody"), 404)["detail"]
    problem(pets.client.get("/v1/streams/pets/similar/q1?limit=0"), 422)
    problem(pets.client.get("/v1/streams/pets/similar/a%20b"), 422)


def test_without_its_learner_it_is_tried_again(start: Start) -> None:
    class Restarting(EchoLearner):
        def queue(self, stream: str, request: QueueRequest) -> ExampleQueue:
            raise UnknownStream(stream)

    gateway = start()
    gateway.post_image(id="a", wait=10)
    answer = start(queries=Restarting(gateway.log, gateway.store)).client.get(f"{QUEUE}?by=random")
    assert "pets" in problem(answer, 503)["detail"]
    assert answer.headers["retry-after"] == "1"
