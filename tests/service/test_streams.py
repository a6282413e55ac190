"""Claims about the standard streams: no encoding of theirs stops a result from being printed."""

import os
import subprocess
import sys

import pytest

from junmai_svc.service.streams import print_any_name

SCRIPT = """
import sys
from junmai_svc.service import report
from junmai_svc.service.streams import print_any_name
print_any_name()
report.show_hold({"status": "held", "snapshot": "写真 \\udcff"})
print("写真", file=sys.stderr)
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_a_name_that_the_encoding_lacks_is_escaped(encoding: str) -> None:
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", SCRIPT],
        env=environment,
        capture_output=True,
        check=True,
    )
    name = "写真" if encoding == "utf-8" else "\\u5199\\u771f"
    assert done.stdout.decode(encoding).startswith(f"{name} \\udcff is held")
    assert done.stderr.decode(encoding).strip() == name


def test_streams_that_can_not_be_told_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as those of a program that has none."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", object())
    print_any_name()
