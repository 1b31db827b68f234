"""What every test gets: assertions of the shared suites explained as those of the tests themselves are."""

import pytest
from hypothesis import HealthCheck, settings

# As hypothesis itself has it where CI is set: how long an example takes says how busy the machine is.
settings.register_profile(
    "default", settings.get_profile("default"), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)

pytest_plugins = ["tests.servers.session"]

pytest.register_assert_rewrite("tests.contracts")
