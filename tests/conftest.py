"""What holds for the whole suite."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.secrecy import leaks


@pytest.fixture(scope="session", autouse=True)
def no_secret_was_told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """At the end of all tests: no secret of any estate is in any run's directory, nor in what any drill printed."""
    yield
    assert leaks(tmp_path_factory.getbasetemp()) == []
