"""What every test gets: assertions of the shared suites explained as those of the tests themselves are."""

import gc

import pytest
from hypothesis import HealthCheck, settings

# As hypothesis itself has it where CI is set: how long an example takes says how busy the machine is.
settings.register_profile(
    "default", settings.get_profile("default"), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

pytest_plugins = ["tests.servers.session"]

pytest.register_assert_rewrite("tests.contracts")

LONG = ("system", "e2e", "browser", "deploy", "extractor", "faults", "models")
"""Folders whose files take longest, the longest first: a worker that begins one last works while the others idle."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stable: within a folder the order stays."""
    order = {name: place for place, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path.parent.name, len(LONG)))


def pytest_collection_finish() -> None:
    """Keep what all tests share out of garbage collections: it is never garbage, and each full one would read it."""
    gc.collect()
    gc.freeze()
