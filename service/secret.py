"""Keys and passphrases, read from the files that a person names."""

from pathlib import Path

from junmai_svc.storage.databases.failures import translated
from junmai_svc.storage.errors import NotFoundError
from junmai_svc.storage.snapshots.blocks.keys import KeyFile, Passphrase, read_key_file

MADE_BY_INIT = "Put it back from its copy; for a new store, `junmai-svc store init` makes one."


def key_in(path: Path, hint: str = MADE_BY_INIT) -> KeyFile:
    """Return the key in a key file; `hint` is for where there is none.

    Raises:
        NotFoundError: it is not there.
        UsageError: it is no key file.
        JunmaiError: it can't be read.
    """
    _require(path, "Key file", hint)
    with translated("read the key file", path):
        return read_key_file(path)


def passphrase_in(path: Path) -> Passphrase:
    """Return the passphrase in a file, without the end of its line.

    Raises:
        NotFoundError: it is not there.
        JunmaiError: it can't be read.
    """
    _require(path, "Passphrase file", "Check the path.")
    with translated("read the passphrase in", path):
        text = path.read_text(encoding="utf-8")
    return Passphrase(text.removesuffix("\n").removesuffix("\r"))


def _require(path: Path, what: str, hint: str) -> None:
    if not path.exists():
        raise NotFoundError(f"{what} not found: {path}", hint)
