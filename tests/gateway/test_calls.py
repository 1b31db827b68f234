"""Every call of the HTTP contract does what it says, over a real socket."""

import pytest

from tests.gateway.conftest import PNG, Served, until


def test_an_image_is_accepted_once_it_is_in_the_log(gateway: Served) -> None:
    answer = gateway.post_image(b"silent", label="cat", id="photo:1")
    assert answer.status_code == 202
    assert answer.json() == {"id": "photo:1", "stream": "pets", "position": "0:0"}
    record = gateway.log.read("images", 0, [0])[0]
    headers = dict(record.headers)
    assert record.value == b"silent"
    assert (headers["ce_id"], headers["ce_subject"], headers["ce_label"]) == (b"photo:1", b"pets", b"cat")
    assert (headers["content-type"], headers["ce_type"]) == (b"image/png", b"prequel.image.v1")


def test_with_wait_an_image_is_answered_by_its_prediction(gateway: Served) -> None:
    answer = gateway.post_image(PNG + b"=dog@0.6", wait=10)
    assert answer.status_code == 200
    prediction = answer.json()["prediction"]
    assert (prediction["label"], prediction["probabilities"]["dog"]) == ("dog", 0.6)
    assert prediction["id"] == answer.json()["id"]


def test_a_wait_that_is_too_short_ends_in_202(gateway: Served) -> None:
    answer = gateway.post_image(b"silent", wait=0.05)
    assert answer.status_code == 202
    assert "prediction" not in answer.json()


def test_several_images_of_a_form_get_a_list_and_ids_of_their_own(gateway: Served) -> None:
    files = [("file", ("a.png", PNG, "image/png")), ("file", ("b.bin", PNG + b"=dog", "text/html"))]
    answer = gateway.client.post(
        "/v1/streams/pets/images", files=files, params={"wait": 10}, headers={"Idempotency-Key": "both"}
    )
    assert answer.status_code == 200
    assert [accepted["id"] for accepted in answer.json()] == ["both.1", "both.2"]
    assert [accepted["prediction"]["label"] for accepted in answer.json()] == ["cat", "dog"]
    types = [dict(record.headers)["content-type"] for record in gateway.log.read("images", 0, [0, 1]).values()]
    assert types == [b"image/png", b"application/octet-stream"]


def test_one_image_of_a_form_is_answered_as_one(gateway: Served) -> None:
    answer = gateway.client.post("/v1/streams/pets/images", files={"file": ("a.png", PNG, "image/png")})
    assert answer.status_code == 202
    assert set(answer.json()) == {"id", "stream", "position"}


def test_the_same_image_again_is_answered_with_the_same_prediction(gateway: Served) -> None:
    first = gateway.post_image(PNG + b"=dog", id="twice", wait=10).json()
    again = gateway.post_image(PNG + b"=dog", id="twice", wait=10).json()
    assert again["prediction"] == first["prediction"]


def test_read_your_writes(gateway: Served) -> None:
    id = gateway.post_image(wait=10).json()["id"]
    path = f"/v1/streams/pets/predictions/{id}"
    for label, status in (("cat", "learned"), ("cat", "unchanged"), ("dog", "corrected"), (None, "retracted")):
        answer = gateway.post_label(id, label, wait=10)
        assert (answer.status_code, answer.json()["status"]) == (200, status)
        assert gateway.client.get(path).json()["truth"] == label


def test_a_label_without_wait_is_accepted_with_its_position(gateway: Served) -> None:
    gateway.post_image(b"silent")
    answer = gateway.post_label("not-yet", "cat")
    assert answer.status_code == 202
    assert answer.json() == {"id": "not-yet", "stream": "pets", "position": "0:0"}


def test_a_label_for_an_image_that_nobody_sent_waits(gateway: Served) -> None:
    gateway.post_image(b"silent")
    answer = gateway.post_label("not-yet", "cat", wait=10)
    assert (answer.status_code, answer.json()["status"]) == (200, "waiting")


def test_several_labels_get_a_list_of_outcomes(gateway: Served) -> None:
    id = gateway.post_image(wait=10).json()["id"]
    body = [{"id": id, "label": "cat", "by": "me"}, {"id": id, "label": "dog"}, {"id": "none", "label": None}]
    answer = gateway.client.post("/v1/streams/pets/labels", json=body, params={"wait": 10})
    assert answer.status_code == 200
    assert [outcome["status"] for outcome in answer.json()] == ["learned", "corrected", "waiting"]


def test_who_labelled_stands_in_the_log(gateway: Served) -> None:
    gateway.post_image(b"silent")
    body = [{"id": "a", "label": "cat", "by": "Ada", "why": "random"}, {"id": "a", "label": "cat"}]
    assert gateway.client.post("/v1/streams/pets/labels", json=body).status_code == 202
    records = gateway.log.read("examples", 0, [0, 1])
    assert [b'"by":"Ada"' in records[0].value, b'"by":"anonymous"' in records[1].value] == [True, True]
    assert [b'"why":"random"' in records[0].value, b"why" in records[1].value] == [True, False]


def test_a_prediction_can_be_waited_for_and_is_found_later(gateway: Served) -> None:
    path = "/v1/streams/pets/predictions/late"
    assert gateway.client.get(path).status_code == 404
    gateway.post_image(id="late")
    assert gateway.client.get(path, params={"wait": 10}).json()["id"] == "late"
    assert gateway.client.get("/v1/streams/others/predictions/late").status_code == 404


def test_the_list_sorts_and_filters(gateway: Served) -> None:
    for id, data in (("a", b"=cat@0.95"), ("b", b"=dog@0.55"), ("c", b"=cat@0.7"), ("d", b"=dog@0.8")):
        gateway.post_image(data, id=id, wait=10)
    gateway.post_label("a", "cat", wait=10)
    gateway.post_label("b", "cat", wait=10)

    def listed(**params: object) -> list[str]:
        answer = gateway.client.get("/v1/streams/pets/predictions", params=params)  # type: ignore[arg-type]
        assert answer.status_code == 200
        return [prediction["id"] for prediction in answer.json()["predictions"]]

    assert listed() == ["d", "c", "b", "a"]
    assert listed(sort="uncertain") == ["b", "c", "d", "a"]
    assert listed(predicted="dog") == ["d", "b"]
    assert listed(truth="cat") == ["b", "a"]
    assert listed(truth="") == ["d", "c"]
    assert listed(truth="", sort="uncertain", limit=1) == ["c"]
    assert listed(truth="", sort="random") in (["c", "d"], ["d", "c"])
    assert sorted(listed(sample="true") + listed(sample="false")) == ["a", "b", "c", "d"]
    assert listed(wrong="true") == ["b"]
    assert listed(wrong="false") == ["a"]
    assert listed(predicted="nothing-like-it") == []


def test_a_random_order_stays_as_images_come_and_is_not_that_of_arrival(gateway: Served) -> None:
    def drawn(limit: int) -> list[str]:
        params: dict[str, str | int] = {"sort": "random", "truth": "", "limit": limit}
        answer = gateway.client.get("/v1/streams/pets/predictions", params=params)
        return [prediction["id"] for prediction in answer.json()["predictions"]]

    for number in range(12):
        gateway.post_image(b"=cat@0.9", id=f"early-{number:02}", wait=10)
    first = drawn(50)
    assert sorted(first) != first != sorted(first, reverse=True)
    assert drawn(5) == first[:5]
    for number in range(12):
        gateway.post_image(b"=cat@0.9", id=f"late-{number:02}", wait=10)
    both = drawn(50)
    assert [id for id in both if id.startswith("early")] == first
    assert both[:12] != first
    gateway.post_label(both[0], "cat", wait=10)
    assert drawn(50) == both[1:]


def test_the_list_is_read_page_by_page(gateway: Served) -> None:
    for number in range(5):
        gateway.post_image(id=f"n{number}", wait=10)
    seen, before = [], None
    for _ in range(3):
        params = {"limit": 2, **({"before": before} if before else {})}
        page = gateway.client.get("/v1/streams/pets/predictions", params=params).json()
        seen += [prediction["id"] for prediction in page["predictions"]]
        before = page["next"]
    assert seen == ["n4", "n3", "n2", "n1", "n0"]
    assert before is None


def test_a_stream_that_nobody_used_has_no_predictions(gateway: Served) -> None:
    answer = gateway.client.get("/v1/streams/empty/predictions")
    assert (answer.status_code, answer.json()) == (200, {"predictions": [], "next": None})


def test_streams_and_their_status(gateway: Served) -> None:
    assert gateway.client.get("/v1/streams").json() == {"streams": [], "log": None}
    id = gateway.post_image(wait=10).json()["id"]
    gateway.post_label(id, "cat", wait=10)
    until(lambda: gateway.client.get("/v1/streams/pets").json().get("labelled") == 1)
    status = gateway.client.get("/v1/streams/pets").json()
    assert (status["images"], status["champion"]) == (1, "echo")
    assert 10 <= status.pop("snapshot_age") < 60
    assert "curve" not in status
    listed = gateway.client.get("/v1/streams").json()["streams"]
    assert [status | listed_status for listed_status in listed] == listed


def test_curve_and_confusion(gateway: Served) -> None:
    gateway.post_image(wait=10)
    curve = gateway.client.get("/v1/streams/pets/curve").json()
    accuracy = {"accuracy": {"echo": 1.0}, "window_accuracy": {"echo": 1.0}}
    assert curve["points"][0] == {"scored": 1, **accuracy, "interval": {}}
    champion = gateway.client.get("/v1/streams/pets/confusion").json()
    assert (champion["model"], champion["labels"]) == ("echo", ["cat"])
    assert gateway.client.get("/v1/streams/pets/confusion", params={"model": "echo"}).json() == champion


def test_predict_without_an_event(gateway: Served) -> None:
    gateway.post_image(wait=10)
    before = gateway.log.bounds("images"), gateway.log.bounds("examples")
    answer = gateway.client.post("/v1/streams/pets/predict", json={"features": [0.5, 1, -2, 0]})
    assert (answer.status_code, answer.json()["label"]) == (200, "cat")
    assert (gateway.log.bounds("images"), gateway.log.bounds("examples")) == before


@pytest.mark.parametrize("path", ["/v1/streams", "/v1/streams/pets/curve", "/readyz", "/openapi.json", "/metrics"])
def test_head_and_options_of_a_call_never_fail(gateway: Served, path: str) -> None:
    assert gateway.client.options(path).status_code < 500
    assert gateway.client.head(path).status_code < 500
