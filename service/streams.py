"""The standard streams, which must be able to print any name."""

import os
import sys


def print_any_name() -> None:
    """Let stdout and stderr escape what their encoding lacks, as that of a Windows pipe may."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def reader_left() -> None:
    """Drop what is still to be printed: the reader of stdout, such as `head`, has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
