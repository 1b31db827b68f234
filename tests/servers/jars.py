"""The real Apache Kafka's jars, resolved by Maven once into a cache folder of the user's."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

KAFKA = "4.1.1"
LOG4J = "2.24.3"
MAVEN_S = 900.0
"""For the download of about 45 MB, on a slow line."""
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"

ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J),
    ("org.apache.logging.log4j", "log4j-core", LOG4J),
    ("org.apache.logging.log4j", "log4j-1.2-api", LOG4J),
)


class NoKafka(Exception):
    """No real broker can be started here: the message gives the reason."""


def jars() -> Path:
    """The folder of the jars; the first call downloads about 45 MB. Raises NoKafka."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise NoKafka(f"{tool} is not installed: a real Kafka needs Java 17 and Maven")
    folder = _cache() / f"kafka-{KAFKA}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder.with_suffix(".lock").open(
            "w"
        ) as lock:  # Two downloads of one file at once would damage Maven's own folder.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _resolve(folder)
    return folder


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prequel"


def _resolve(folder: Path) -> None:
    """Only under the lock. The folder appears whole or not at all."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        Path(scratch, "pom.xml").write_text(_pom())
        command = ["mvn", "-q", "-B", COPY, "-DincludeScope=runtime", "-DoutputDirectory=jars"]
        try:
            done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=MAVEN_S, check=False)
        except subprocess.TimeoutExpired:
            raise NoKafka(f"Maven could not fetch Apache Kafka {KAFKA} within {MAVEN_S:g} s") from None
        if done.returncode:
            raise NoKafka(f"Maven could not fetch Apache Kafka {KAFKA}:\n{(done.stdout + done.stderr)[-2000:]}")
        Path(scratch, "jars").rename(folder)


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
