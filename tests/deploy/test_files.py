"""The deployment's files held to the Compose specification, to each other, and to what we promise of images."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
import yaml

from prequel.services.cli.main import main
from prequel.shared.config import Settings
from prequel.shared.environment import from_environment
from tests.deploy import compose, dockerfile
from tests.deploy.compose import ROOT

SCHEMA = Path(__file__).parent / "compose-spec.json"
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
GRAFANA = ROOT / "deploy" / "grafana"
SECRETS = {"PREQUEL_API_KEYS": "secret", "GRAFANA_PASSWORD": "another"}
COMPOSE = compose.read(SECRETS)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
FOREIGN = [name for name in SERVICES if name not in OURS]


STARTS = """
import sys
from prequel.services.learner.models import registry
for spec in sys.argv[1:]:
    try:
        registry.create(spec, 8, seed=0)
    except registry.UnknownModel as error:
        assert "needs Keras" in str(error), error
    else:
        print(spec)
"""


def pins(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+==[^ \\]+)", lock.read_text(encoding="utf-8"), re.MULTILINE))


def test_it_follows_the_compose_specification() -> None:
    """The schema is that of compose-go 2.16.2, which Docker Compose itself reads its files with."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(compose.FILE.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", SECRETS)
def test_without_a_secret_it_does_not_start_and_says_what_to_do(name: str) -> None:
    with pytest.raises(compose.Unset, match=f"{name} is not set"):
        compose.read({key: value for key, value in SECRETS.items() if key != name})


def test_grafana_does_not_know_the_key() -> None:
    assert SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"] == "another"
    assert "secret" not in str(SERVICES["grafana"])


@pytest.mark.parametrize("target", ["learner", "learner-keras"])
def test_a_learner_starts_the_models_that_its_image_is_for(target: str) -> None:
    """With the packages of that image and no others."""
    service = compose.read(SECRETS | {"LEARNER_TARGET": target})["services"]["learner"]
    image = dockerfile.image(service["build"]["target"])
    specs = ["softmax;replay=cgan", "mlp", "slda"]
    ours = {"PATH": os.environ["PATH"], "NUMBA_CACHE_DIR": "", "IMAGE_LOCK": str(ROOT / image.lock)}
    found = subprocess.run(
        [sys.executable, "-c", STARTS, *specs],
        cwd=ROOT,
        env=os.environ | image.environment | ours | {"PYTHONPATH": str(Path(__file__).parent / "image")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.stdout.split() == (specs if target == "learner-keras" else ["mlp", "slda"]), found.stderr[-3000:]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["user"].partition(":")[0] not in ("", "0", "root")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", []))


@pytest.mark.parametrize("name", [each for each in SERVICES if each not in ("topics", "demo")])
def test_a_service_that_stays_is_watched_and_restarted(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert compose.seconds(SERVICES[name]["stop_grace_period"]) >= 30
    assert {"test", "interval", "timeout", "retries", "start_period"} == set(SERVICES[name]["healthcheck"])


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_image_is_pinned_to_a_version(name: str) -> None:
    assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+(-[a-z]+)?", SERVICES[name]["image"])


@pytest.mark.parametrize("name", OURS)
def test_a_service_of_ours_is_built_here_and_has_its_images_user(name: str) -> None:
    service = SERVICES[name]
    assert "image" not in service, "Compose would look for it elsewhere first"
    assert dockerfile.image(service["build"]["target"]).user == service["user"] == "10001:10001"
    assert service["read_only"] is True


@pytest.mark.parametrize("name", OURS)
def test_every_setting_of_a_service_is_one(name: str) -> None:
    image = dockerfile.image(SERVICES[name]["build"]["target"])
    environment = image.environment | {key: str(value) for key, value in SERVICES[name]["environment"].items()}
    settings = from_environment(environment)
    assert settings.log_url == "kafka://kafka:9092" or name == "demo"
    assert settings.store_url == "redis://redis:6379/0" or name == "demo"


@pytest.mark.parametrize("name", OURS)
def test_every_command_is_one(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    image = dockerfile.image(SERVICES[name]["build"]["target"])
    assert image.entrypoint == ["prequel"]
    with pytest.raises(SystemExit) as ended:
        main([*SERVICES[name].get("command", image.command), "--help"])
    assert ended.value.code == 0, capsys.readouterr()


def test_the_learner_runs_the_models_that_the_settings_table_names() -> None:
    assert SERVICES["learner"]["environment"]["PREQUEL_MODELS"] == Settings.model_validate({}).models


def test_every_volume_is_declared_and_used() -> None:
    mounted = {each.partition(":")[0] for service in SERVICES.values() for each in service.get("volumes", [])}
    assert {each for each in mounted if not each.startswith(".")} == set(COMPOSE["volumes"])
    assert all((ROOT / each).is_dir() for each in mounted if each.startswith("."))


def test_the_gpu_is_asked_for_only_by_its_profile() -> None:
    reserved = {name for name, service in SERVICES.items() if "deploy" in service}
    assert reserved == {"extractor-gpu"}
    assert SERVICES["extractor-gpu"]["profiles"] == ["gpu"]
    image = dockerfile.image("extractor-gpu")
    assert image.environment["KERAS_BACKEND"] == "tensorflow"
    assert any(each.startswith("nvidia-cudnn") for each in pins(ROOT / image.lock))


def test_kafka_takes_the_largest_image() -> None:
    environment = SERVICES["kafka"]["environment"]
    for name in ("extractor", "gateway", "topics"):
        largest = SERVICES[name]["environment"]["PREQUEL_MAX_IMAGE_BYTES"]
        assert min(environment["KAFKA_MESSAGE_MAX_BYTES"], environment["KAFKA_REPLICA_FETCH_MAX_BYTES"]) > largest
    assert f":{environment['KAFKA_LOG_DIRS']}" in SERVICES["kafka"]["volumes"][0]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda each: each.stem)
def test_an_images_packages_are_those_of_the_lock(lock: Path) -> None:
    """All pinned with hashes, to the versions that are tested; `make lock` writes them."""
    text = lock.read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(entries) == len(pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)
    tested = {each.partition("==")[0]: each for each in sorted(pins(ROOT / "requirements.lock"))}
    apart = {each for each in pins(lock) if each.partition("==")[0] in tested} - pins(ROOT / "requirements.lock")
    assert not apart, f"run `make lock`: {apart}"


def test_a_gateway_needs_none_of_the_heavy_packages() -> None:
    """The learner's are for its exports, whose processes fold a log."""
    named = {each.partition("==")[0] for each in pins(ROOT / dockerfile.image("gateway").lock)}
    assert not named & {"tensorflow", "keras", "openvino", "scikit-learn"}


def test_docker_ignores_nothing_that_is_copied() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for stage in dockerfile.stages().values():
        for name, rest in stage.instructions:
            if name == "COPY" and not rest.startswith("--from"):
                assert {each.partition("/")[0] for each in rest.split()[:-1]} <= kept


def test_grafana_finds_its_datasource_and_dashboards() -> None:
    mounts = dict(each.split(":")[:2] for each in SERVICES["grafana"]["volumes"])
    assert mounts["./deploy/grafana/provisioning"] == "/etc/grafana/provisioning"
    (source,) = _yaml(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    host, port = re.fullmatch(r"http://([a-z]+):(\d+)", source["url"]).groups()  # type: ignore[union-attr]  # else it fails
    assert (host in SERVICES, port) == (True, "9090")
    scraped = _yaml(ROOT / "deploy" / "prometheus" / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
    (provider,) = _yaml(GRAFANA / "provisioning" / "dashboards" / "prequel.yml")["providers"]
    assert provider["options"]["path"] == mounts["./deploy/grafana/dashboards"]
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/prequel.json"
    dashboard = json.loads((GRAFANA / "dashboards" / "prequel.json").read_text(encoding="utf-8"))
    uids = set(re.findall(r'"uid": "([^"]+)"', json.dumps(dashboard)))
    assert uids == {source["uid"], dashboard["uid"]}


def test_the_dashboards_panels_do_not_overlap() -> None:
    panels = json.loads((GRAFANA / "dashboards" / "prequel.json").read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def _yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))
