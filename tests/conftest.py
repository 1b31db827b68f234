"""What every test gets: assertions of the shared suites explained as those of the tests themselves are."""

import pytest

pytest_plugins = ["tests.servers.session"]

pytest.register_assert_rewrite("tests.contracts")
