"""What holds for the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.secrecy import leaks

GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")  # of a hook that calls us
SPEAKS = (
    "CI",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "PY_COLORS",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "TTY_COMPATIBLE",
)
STEERS = (
    "GITHUB_",
    "FAILOVER_DRILL__",
    "OTEL_",
    "AZURE_",
    "IDENTITY_",
    "MSI_",
    "LOCUST_",
    "PYTEST_ADDOPTS",
    "PYTEST_PLUGINS",
)
"""What the machine that runs the tests may have set, and what would speak to our programs or steer them."""

for name in list(os.environ):  # before any test module is loaded: they copy the environment
    if name in (*SPEAKS, *GIT) or name.startswith(STEERS):
        del os.environ[name]

settings.register_profile(
    "steady",
    deadline=None,  # how fast this machine is, is no property of ours
    derandomize=True,  # the same examples on every machine; --hypothesis-profile=exploring draws new ones
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("exploring", settings.get_profile("steady"), derandomize=False, max_examples=1000)
settings.load_profile("steady")


@pytest.fixture(scope="session", autouse=True)
def no_secret_was_told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end of all tests: no secret of any estate is in any run's directory, nor in what any drill printed."""
    yield
    assert leaks(tmp_path_factory.getbasetemp()) == []
