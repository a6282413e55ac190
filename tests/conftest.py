"""What holds for all tests."""

from hypothesis import settings

# A deadline for one example would fail at random on a busy machine; pytest bounds each test.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
