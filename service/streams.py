"""The standard streams, which must be able to print any name."""

import sys


def print_any_name() -> None:
    """Let stdout and stderr escape what their encoding lacks, as that of a Windows pipe may."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
