"""What the command line makes of this user's system: no home, odd paths."""

from pathlib import Path

import pytest

from services.__main__ import _cache
from shared.config import ConfigError, Settings


@pytest.fixture
def homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's user has it whom nobody wrote into /etc/passwd."""

    def home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)


@pytest.mark.usefixtures("homeless")
def test_a_user_without_a_home_needs_a_cache_by_name() -> None:
    assert _cache(Settings(cache="/cache")) == Path("/cache")
    with pytest.raises(ConfigError, match=r"PREQUEL_CACHE is not set, and this user has no home .*: name a folder"):
        _cache(Settings())
