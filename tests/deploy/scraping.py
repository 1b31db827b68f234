"""The real Prometheus with our configuration, its targets on this machine, and the dashboard's expressions."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import yaml

from tests.deploy.compose import ROOT
from tests.deploy.deployment import Deployment
from tests.servers import plain_http

DASHBOARD = ROOT / "deploy" / "grafana" / "dashboards" / "prequel.json"
GRAFANA_VARIABLES = {"$stream": ".+", "$model": ".+", "$__rate_interval": "5m"}
"""As Grafana puts them in where everything is selected; the interval spans the whole test."""

Series = dict[tuple[tuple[str, str], ...], float]
"""Values by sorted labels."""


class Expression(NamedTuple):
    """One query of one panel."""

    panel: str
    text: str


def expressions() -> list[Expression]:
    """Every query of the dashboard."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return [Expression(panel["title"], each["expr"]) for panel in panels for each in panel.get("targets", [])]


class Prometheus:
    """The service `prometheus` of docker-compose.yml."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment, self.folder = deployment, deployment.folder / "prometheus"
        host, port = deployment.addresses["prometheus", 9090]
        self.url = f"http://{host}:{port}"
        self._client = plain_http.client(self.url, timeout=30)

    def command(self) -> list[str]:
        """The service's own, its files and folders on this machine."""
        self.folder.mkdir()
        files = self._files()
        local = []
        for argument in self.deployment.services["prometheus"]["command"]:
            name, sign, value = argument.partition("=")
            if value.startswith("/etc/"):
                value = str(files[value])
            elif value.startswith("/"):
                volumes = [each.partition(":")[2] for each in self.deployment.services["prometheus"]["volumes"]]
                assert value in volumes, f"{argument} is no volume: what is written there is lost"
                value = str(self.folder / "data")
            local.append(f"{name}{sign}{value}")
        return ["prometheus", *local, f"--web.listen-address={self.url.removeprefix('http://')}"]

    def targets(self) -> dict[str, list[str]]:
        """The health of each job's targets; none while it does not answer."""
        found: dict[str, list[str]] = {}
        try:
            answer = self._client.get("/api/v1/targets").raise_for_status()
        except httpx.HTTPError:
            return found
        for each in answer.json()["data"]["activeTargets"]:
            found.setdefault(each["labels"]["job"], []).append(each["health"])
        return found

    def query(self, text: str) -> Series:
        """An expression as Grafana would send it. Fails the test where Prometheus calls it an error."""
        for variable, value in GRAFANA_VARIABLES.items():
            text = text.replace(variable, value)
        assert "$" not in text, text
        answer = self._client.post("/api/v1/query", data={"query": text}).json()
        assert answer["status"] == "success", f"{text}: {answer}"
        return {
            tuple(sorted(each["metric"].items())): float(each["value"][1])
            for each in answer["data"]["result"]
            if not math.isnan(float(each["value"][1]))
        }

    def close(self) -> None:
        self._client.close()

    def _files(self) -> dict[str, Path]:
        """Compose's `configs`, written here, by their path in the container."""
        local: dict[str, Path] = {}
        for mounted in self.deployment.services["prometheus"]["configs"]:
            source = self.deployment.file["configs"][mounted["source"]]
            local[mounted["target"]] = self.folder / mounted["source"]
            text = source["content"] if "content" in source else (ROOT / source["file"]).read_text(encoding="utf-8")
            local[mounted["target"]].write_text(text)
        configuration = next(path for target, path in local.items() if target.endswith(".yml"))
        configuration.write_text(yaml.safe_dump(self._here(yaml.safe_load(configuration.read_text()), local)))
        return local

    def _here(self, configuration: Any, files: dict[str, Path]) -> Any:
        configuration["global"] |= {"scrape_interval": "2s", "scrape_timeout": "2s"}
        for job in configuration["scrape_configs"]:
            targets = [each for static in job.pop("static_configs", []) for each in static["targets"]]
            for found in job.pop("dns_sd_configs", []):
                assert set(found["names"]) <= set(self.deployment.services)
                # Docker's DNS knows the services that run.
                running = [name for name in found["names"] if name in self.deployment.processes]
                targets += [f"{name}:{found['port']}" for name in running]
            job["static_configs"] = [{"targets": [self.deployment.local("prometheus", each) for each in targets]}]
            if "authorization" in job:
                job["authorization"]["credentials_file"] = str(files[job["authorization"]["credentials_file"]])
        return configuration
