"""The standard streams: a process may lack them, and they must be able to print any name."""

import errno
import os
import sys


def ready_streams() -> None:
    """Give the process the streams that it lacks, and let it print any name.

    A program that a system starts without a console, as Windows starts pythonw, has none: what it
    prints goes nowhere. An encoding that lacks a letter, as that of a Windows pipe may, has it
    escaped.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            # Opened for good, as the streams of the process are.
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def is_reader_gone(error: OSError) -> bool:
    """Tell whether an error says that nobody reads stdout any more.

    Of a pipe without a reader Windows may say that an argument is invalid.
    """
    if isinstance(error, BrokenPipeError):
        return True
    is_vague = sys.platform == "win32" and error.errno == errno.EINVAL
    return is_vague and error.filename is None and not sys.stdout.isatty()


def reader_left() -> None:
    """Drop what is still to be printed: the reader of stdout, such as `head`, has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
