"""Where the status may be served: at this machine's loopback, since nobody is asked who he is."""

from junmai_svc.storage.errors import UsageError

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def loopback_address(listen: str) -> tuple[str, int]:
    """Return the host and port of HOST:PORT.

    Raises:
        UsageError: it is not of that form, or not this machine's loopback.
    """
    host, _, port = listen.rpartition(":")
    if host not in LOOPBACK or not (port.isascii() and port.isdigit() and int(port) < 2**16):
        raise UsageError(
            f"The status can't be served at {listen!r}",
            "Give 127.0.0.1:PORT. Others reach it by a tunnel or a proxy with a login of its own.",
        )
    return host.strip("[]"), int(port)
