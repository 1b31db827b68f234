"""The real Apache Kafka's jars, resolved by Maven once into a cache folder of the user's."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

KAFKA = "4.1.1"
LOG4J = "2.24.3"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
    ("org.apache.logging.log4j", "log4j-core", LOG4J),
    ("org.apache.logging.log4j", "log4j-1.2-api", LOG4J),
)


class NoKafka(Exception):
    """A real broker cannot be had here; the message says why."""


def jars() -> Path:
    """The folder of the jars; the first call downloads about 45 MB. Raises NoKafka."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise NoKafka(f"{tool} is not installed: a real Kafka needs Java 17 and Maven")
    folder = _cache() / f"kafka-{KAFKA}"
    if not folder.is_dir():
        _resolve(folder)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prequel"


def _resolve(folder: Path) -> None:
    """Several test runs may do this at once: each into a folder of its own, the first rename wins."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        Path(scratch, "pom.xml").write_text(_pom())
        done = subprocess.run(
            [
                "mvn",
                "-q",
                "-B",
                COPY,
                "-DincludeScope=runtime",
                "-DoutputDirectory=jars",
            ],
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        if done.returncode:
            raise NoKafka(f"Maven could not fetch Apache Kafka {KAFKA}:\n{(done.stdout + done.stderr)[-2000:]}")
        try:
            Path(scratch, "jars").rename(folder)
        except OSError:
            if not folder.is_dir():
                raise


def _pom() -> str:
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
        for group, name, version in ARTIFACTS
    )
    return (
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>prequel.tests</groupId><artifactId>broker</artifactId><version>1</version>"
        f"<dependencies>{dependencies}</dependencies></project>\n"
    )
