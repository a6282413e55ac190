"""Sending through Apprise in a process of its own, which takes its 50 MB away with it.

The message and the addresses go through stdin, never through the command line, which others on the
machine can read. What went wrong comes back on stdout, without any address.
"""

import subprocess
import sys

import msgspec

from junmai_svc.service.notify.sending import send
from junmai_svc.storage.errors import JunmaiError, StorageUnavailableError, UsageError

SECONDS = 60.0
_HINT = "Try `junmai-svc notify test`."


class Message(msgspec.Struct, frozen=True):
    """What is to be sent, and to whom."""

    urls: tuple[str, ...]
    title: str
    text: str


class Answer(msgspec.Struct, frozen=True):
    """What went wrong; nothing where both are empty."""

    message: str = ""
    hint: str = ""
    usage: bool = False


def send_beside(urls: tuple[str, ...], title: str, text: str) -> None:
    """Do what `notify.send` does, in a process of its own, within a minute.

    Raises:
        UsageError, StorageUnavailableError: as `notify.send`.
    """
    try:
        done = subprocess.run(  # noqa: S603  # ourselves
            [sys.executable, "-m", __name__],
            input=msgspec.json.encode(Message(urls, title, text)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        answer = msgspec.json.decode(done.stdout, type=Answer)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError) as error:
        # The text of the error may hold the message.
        what = f"A notification could not be sent: {type(error).__name__}"
        raise StorageUnavailableError(what, _HINT) from None
    if answer.message:
        raise (UsageError if answer.usage else StorageUnavailableError)(answer.message, answer.hint)


def main() -> None:
    """Send what stands on stdin and answer on stdout."""
    message = msgspec.json.decode(sys.stdin.buffer.read(), type=Message)
    try:
        send(message.urls, message.title, message.text)
    except JunmaiError as error:
        answer = Answer(error.message, error.hint, isinstance(error, UsageError))
    except Exception as error:  # noqa: BLE001  # of a library that is not ours
        answer = Answer(f"A notification could not be sent: {type(error).__name__}", _HINT)
    else:
        answer = Answer()
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
