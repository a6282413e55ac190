"""Telling people and a watching service: notifications through Apprise, and a ping after backups.

Addresses hold secrets: they come out of a file or a variable and are never logged or shown.
"""

import logging
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from junmai_svc.service.configuration.keys import NOTIFY_PING_URL, NOTIFY_URLS
from junmai_svc.service.version import __version__
from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import StorageUnavailableError, UsageError

TIMEOUT_SECONDS = 10.0
LARGEST_FILE = 1 << 20

Ping = Literal["start", "success", "fail"]


@dataclass(frozen=True)
class Addresses:
    """Where messages go: Apprise's addresses, and the one that is pinged. Never shown."""

    urls: tuple[str, ...] = ()
    ping: str | None = None

    def __repr__(self) -> str:
        return f"Addresses({len(self.urls)} hidden, ping {'hidden' if self.ping else None})"

    @property
    def any(self) -> bool:
        """True where anybody is to be told."""
        return bool(self.urls or self.ping)


def read_addresses(
    urls_file: Path | None, ping_file: Path | None, environment: Mapping[str, str]
) -> Addresses:
    """Return the addresses out of files, one a line, or of variables, which come over the files.

    Raises:
        NotFoundError, AccessDeniedError: a file can't be read.
        UsageError: it holds what can't be an address; the message does not show it.
    """
    urls = environment.get(NOTIFY_URLS, "").split() or _lines(urls_file)
    pings = environment.get(NOTIFY_PING_URL, "").split() or _lines(ping_file)
    if len(pings) > 1:
        raise UsageError("There is more than one address to ping", "Leave one line in the file.")
    for url in pings:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise UsageError(
                "The address to ping is no http:// or https:// address", "Check ping_url_file."
            )
    return Addresses(tuple(urls), pings[0].rstrip("/") if pings else None)


def _lines(path: Path | None) -> list[str]:
    if path is None:
        return []
    with translated("read", path):
        if path.stat().st_size > LARGEST_FILE:
            raise UsageError(f"{path} is too large to hold addresses", "Check its name.")
        try:
            lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8 text", "Write one address a line.") from error
    return [line for line in lines if line and not line.startswith("#")]


def require_apprise() -> None:
    """Do nothing where the extra `notify` is installed.

    Raises:
        UsageError: it is not.
    """
    if find_spec("apprise") is None:
        raise UsageError(
            "Notifications need the extra `notify`, which is not installed",
            "Install it with `pip install junmai-svc[notify]`.",
        )


def send(urls: tuple[str, ...], title: str, text: str) -> None:
    """Send one message to all addresses.

    Raises:
        UsageError: the extra is not installed, or an address is of no kind that Apprise knows.
        StorageUnavailableError: an address did not take it.
    """
    require_apprise()
    import apprise  # noqa: PLC0415  # an extra of 25 MB

    # Its log names whole addresses.
    logging.getLogger("apprise").disabled = True
    target = apprise.Apprise()
    for number, url in enumerate(urls, 1):
        if not target.add(url):
            raise UsageError(
                f"Address {number} is of no kind that Apprise knows", "See Apprise's list of them."
            )
    if not target.notify(title=title, body=text, body_format="text"):
        raise StorageUnavailableError(
            "A notification was not taken by every address", "Try `junmai-svc notify test`."
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A ping goes to the address that was configured and to no other."""

    def redirect_request(self, *_args: object, **_named: object) -> None:
        return None


def ping(url: str, kind: Ping) -> None:
    """Tell a watching service that backups begin, are all well, or are not.

    Raises:
        StorageUnavailableError: it did not answer, or not with success; the message has its host
            only.
    """
    address = url if kind == "success" else f"{url}/{kind}"
    host = urlsplit(url).hostname
    request = urllib.request.Request(  # noqa: S310  # http and https only, see read_addresses
        address, headers={"User-Agent": f"junmai-svc/{__version__}"}
    )
    opener = urllib.request.build_opener(_NoRedirect)
    why = ""
    try:
        with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
            if answer.status < HTTPStatus.MULTIPLE_CHOICES:
                return
    except urllib.error.HTTPError as error:
        why = f": it answered {error.code}"
        error.close()
    except (OSError, ValueError) as error:
        # The text of a ValueError may hold the address.
        why = f": {type(error).__name__}"
    raise StorageUnavailableError(f"Can't ping {host}{why}", "Check the address and the network.")


def try_out(addresses: Addresses) -> dict[str, int]:
    """Send a message and a ping now, and return to how many addresses.

    Raises:
        UsageError: nobody is to be told, or the extra is missing.
        StorageUnavailableError: somebody could not be reached.
    """
    if not addresses.any:
        raise UsageError(
            "Nobody is to be told", "Name urls_file or ping_url_file in [notify], see the README."
        )
    if addresses.urls:
        send(addresses.urls, "junmai-svc: a test", "If you read this, notifications work.")
    if addresses.ping:
        ping(addresses.ping, "success")
    return {"addresses": len(addresses.urls), "pinged": 1 if addresses.ping else 0}
