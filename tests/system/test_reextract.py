"""Another backbone on real Kafka and Redis, with images that are encrypted, and one of them forgotten."""

from prequel.shared.status import StreamStatus
from tests.servers import plain_http
from tests.servers.ports import wait_until
from tests.system.cluster import DEADLINE_S, Cluster, all_ready
from tests.system.test_catching_up import shown
from tests.system.test_forgettable import noise

IMAGES = 40
OTHER = "compact-multi"


def stream_status(cluster: Cluster) -> StreamStatus:
    status = shown(cluster, "pets")
    assert status is not None
    return status


def test_a_stream_on_kafka_switches_to_another_backbone_without_its_forgotten_images(servers: Cluster) -> None:
    servers.reset()
    (gateway,) = servers.start("gateway", settings={"PREQUEL_FORGETTABLE": "1"})
    extractor, learner = servers.start("extractor") + servers.start("learner")
    all_ready(servers.services)
    try:
        with plain_http.client(f"{gateway.url}/v1/streams/pets", timeout=DEADLINE_S) as http:
            for number in range(IMAGES):
                headers = {"Content-Type": "image/png", "Idempotency-Key": f"i{number}"}
                sent = http.post("/images", content=noise(number), headers=headers, params={"label": "ab"[number % 2]})
                assert sent.status_code == 202
        wait_until(lambda: (shown(servers, "pets") or EMPTY).images == IMAGES, DEADLINE_S, "all images")
        commands, forget = f"{gateway.url}/v1/streams/pets/commands", {"do": "example.forget", "ids": ["i3"]}
        answer = plain_http.post(commands, json=forget, params={"wait": 30}, timeout=DEADLINE_S)
        assert answer.json()["status"] == "applied"
        wait_until(lambda: stream_status(servers).images == IMAGES - 1, DEADLINE_S, "it to be forgotten")
        done = servers.run("reextract", "pets", "--backbone", OTHER, "--switch", "--yes", "--url", gateway.url)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.startswith(f"pets: features of {IMAGES - 1} images through {OTHER}"), done.stdout
        status = stream_status(servers)
        assert (status.backbone.startswith(OTHER), status.images, status.labelled) == (True, IMAGES - 1, IMAGES - 1)
        assert extractor.alive
        assert learner.terminate() == 0
        verified = servers.run("rebuild", "--verify")
        assert verified.returncode == 0, verified.stdout + verified.stderr
    finally:
        servers.end_services()


EMPTY = StreamStatus.model_construct(images=0)
