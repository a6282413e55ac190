"""What holds for all tests."""

from collections.abc import Generator

import pytest
from hypothesis import settings

# A deadline for one example would fail at random on a busy machine; pytest bounds each test.
settings.register_profile("house", deadline=None)
settings.load_profile("house")

_NO_PRIVILEGE = 1314  # Windows: ERROR_PRIVILEGE_NOT_HELD


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """Skip a test that makes a link where that takes a privilege which its user lacks."""
    try:
        return (yield)
    except OSError as error:
        if getattr(error, "winerror", None) != _NO_PRIVILEGE:
            raise
        pytest.skip("links need a privilege on Windows")
