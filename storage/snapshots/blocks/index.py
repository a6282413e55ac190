"""Which pack has which block: a local cache of the footers of a store's packs, in SQLite.

It is asked for changed blocks only, and may be deleted at any time: it is filled again from the
footers. The blocks of this run are kept in a dict until there are 65,536 of them or the run ends,
and only then written, in order; a first image of up to 256 MiB asks SQLite nothing.

Nothing is believed that the store does not confirm: `keep_only` forgets the packs that are gone or
have another size. A pack with a damaged block is not trusted with unchanged blocks either, see
`trusts`. Every row has a check, as a wrong place would make a snapshot of the wrong blocks: a block
whose row is damaged is one that the index does not know.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from zlib import crc32

from junmai_svc.storage.errors import (
    AccessDeniedError,
    IntegrityError,
    JunmaiError,
    LockedError,
    NoSpaceError,
    StorageUnavailableError,
)
from junmai_svc.storage.snapshots.blocks.digesting import DIGEST_BYTES
from junmai_svc.storage.snapshots.blocks.packs import PackRef

FORMAT = 2
MEMORY = Path(":memory:")
LARGEST_BUFFER = 1 << 16

# A location is a pack's number and, in the lowest 16 bits, the number of a block in it. As it is
# stored, the check of the row is behind it.
_BLOCK_BITS = 16
_BLOCK_MASK = (1 << _BLOCK_BITS) - 1
_CHECK_BITS = 23
_CHECK_MASK = (1 << _CHECK_BITS) - 1
_PACK_BITS = _BLOCK_BITS + _CHECK_BITS
# The largest prime that fits into a check: the remainder shows every change of one bit.
_PRIME = 8_388_593
# SQLite may be built for no more arguments than 999.
_ARGUMENTS = 900
_BUSY_SECONDS = 10
_AGAIN_HINT = "Run the same command again when nothing else is using the index."
_ACCESS_HINT = "Check who owns the folder of the index, and that it is there."
_SPACE_HINT = "Free some space and run the same command again."
_CACHE_HINT = "Delete it: it is a cache and is made again from the store."

# A number is never given to a second pack, so that stale locations point nowhere.
_SCHEMA = f"""
CREATE TABLE packs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, size INTEGER NOT NULL,
    blocks INTEGER NOT NULL, proof INTEGER NOT NULL, damaged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE blocks (digest BLOB PRIMARY KEY, location INTEGER NOT NULL) STRICT, WITHOUT ROWID;
PRAGMA user_version = {FORMAT}
"""


class Location(NamedTuple):
    """Where a block lies: a pack, and the block's number in it."""

    pack: PackRef
    block: int


class BlockIndex:
    """The index in a file, or in memory; one that is damaged or of another format is made anew.

    What was added is kept when a `with` block ends without an error.

    Raises:
        JunmaiError: the file can't be used.
        OSError: a damaged file can't be removed.
    """

    def __init__(self, path: Path = MEMORY) -> None:
        self._path = path
        try:
            self._open()
        except IntegrityError:
            # The journal first: left behind it would be played into the new file.
            Path(f"{path}-journal").unlink(missing_ok=True)
            path.unlink()
            self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.flush()
        finally:
            self._database.close()

    def unknown(self, packs: Iterable[str]) -> list[str]:
        """Return which of these packs the index has not been given."""
        return [name for name in packs if name not in self._numbers and name not in self._added]

    def trusts(self, pack: PackRef) -> bool:
        """True where exactly this pack is known and no block of it was found damaged."""
        known = self._added.get(pack.name) or self._packs.get(self._numbers.get(pack.name, 0))
        return known == pack and not self.doubts(pack.name)

    def doubts(self, pack: str) -> bool:
        """True where a block of the pack was found damaged."""
        return pack in self._damaged

    def add(self, pack: PackRef, digests: bytes) -> None:
        """Note a pack and the digests of its blocks; does nothing where it is known.

        Raises:
            JunmaiError: the index can't be written.
        """
        if not self.unknown([pack.name]):
            return
        number = len(self._added) << _BLOCK_BITS
        self._added[pack.name] = pack
        for block in range(pack.blocks):
            digest = digests[block * DIGEST_BYTES : (block + 1) * DIGEST_BYTES]
            self._buffer[digest] = number | block
        if len(self._buffer) >= LARGEST_BUFFER:
            self.flush()

    def find(self, digests: Iterable[bytes]) -> dict[bytes, Location]:
        """Return where those of the blocks lie that are known.

        Raises:
            JunmaiError: the index can't be read.
        """
        added = list(self._added.values())
        found: dict[bytes, Location] = {}
        others: list[bytes] = []
        for digest in digests:
            location = self._buffer.get(digest)
            if location is None:
                others.append(digest)
            else:
                found[digest] = _location(added[location >> _BLOCK_BITS], location)
        with self._translated():
            for some in _batches(others) if self._packs else ():
                rows = self._database.execute(
                    "SELECT digest, location FROM blocks"
                    f" WHERE digest IN ({', '.join('?' * len(some))})",
                    some,
                )
                for digest, stored in rows:
                    location = stored >> _CHECK_BITS
                    pack = self._packs.get(location >> _BLOCK_BITS)
                    if pack is not None and stored == _checked(digest, location):
                        found[digest] = _location(pack, location)
        return found

    def keep_only(self, packs: Mapping[str, int]) -> None:
        """Forget all packs but these, the ones that the store has and nobody is about to delete.

        `packs` are their sizes; what has another one is not the pack that it was.

        Raises:
            JunmaiError: the index can't be written.
        """
        self.flush()
        self._drop(pack.name for pack in self._packs.values() if packs.get(pack.name) != pack.size)

    def look_again(self, packs: Iterable[str]) -> None:
        """Forget what is known of packs that were found sound after they had been found damaged.

        Raises:
            JunmaiError: the index can't be written.
        """
        self.flush()
        self._drop(self._damaged.intersection(packs))

    def _drop(self, packs: Iterable[str]) -> None:
        gone = [(name,) for name in packs]
        if not gone:
            return
        with self._changing():
            self._database.executemany("DELETE FROM packs WHERE name = ?", gone)
            self._database.execute(
                f"DELETE FROM blocks WHERE location >> {_PACK_BITS} NOT IN"
                " (SELECT number FROM packs)"
            )
        self._load()

    def forget(self, pack: str, blocks: Iterable[int]) -> None:
        """Forget damaged or missing blocks of a pack, durably: the next backup stores them again.

        The pack's other blocks stay known, one by one.

        Raises:
            JunmaiError: the index can't be written.
        """
        self.flush()
        if pack not in self._numbers:
            return
        number, damaged = self._numbers[pack], set(blocks)
        with self._changing():
            rows = self._database.execute(
                f"SELECT digest, location FROM blocks WHERE location >> {_PACK_BITS} = ?",
                (number,),
            )
            gone = [
                (digest,)
                for digest, stored in rows
                if stored >> _CHECK_BITS & _BLOCK_MASK in damaged
            ]
            self._database.executemany("DELETE FROM blocks WHERE digest = ?", gone)
            self._database.execute("UPDATE packs SET damaged = 1 WHERE number = ?", (number,))
        self._load()

    def blocks_of(self, pack: str) -> dict[int, bytes]:
        """Return the digests of a pack's blocks by their numbers, as far as they are known.

        Raises:
            JunmaiError: the index can't be read.
        """
        self.flush()
        number = self._numbers.get(pack)
        with self._translated():
            rows = self._database.execute(
                f"SELECT digest, location FROM blocks WHERE location >> {_PACK_BITS} = ?",
                (number,),
            ).fetchall()
        return {
            stored >> _CHECK_BITS & _BLOCK_MASK: digest
            for digest, stored in rows
            if stored == _checked(digest, stored >> _CHECK_BITS)
        }

    def flush(self) -> None:
        """Make durable what was added.

        Raises:
            JunmaiError: the index can't be written.
        """
        if not self._added:
            return
        with self._changing():
            numbers = [self._numbered(pack) << _BLOCK_BITS for pack in self._added.values()]
            self._database.executemany(
                "INSERT OR REPLACE INTO blocks VALUES (?, ?)",
                (
                    (digest, _checked(digest, numbers[at >> _BLOCK_BITS] | at & _BLOCK_MASK))
                    for digest, at in sorted(self._buffer.items())
                ),
            )
        self._load()

    def _numbered(self, pack: PackRef) -> int:
        number: int = self._database.execute(
            "INSERT INTO packs (name, size, blocks, proof) VALUES (?, ?, ?, 0)"
            " ON CONFLICT (name) DO UPDATE SET size = excluded.size, blocks = excluded.blocks"
            " RETURNING number",
            (pack.name, pack.size, pack.blocks),
        ).fetchone()[0]
        self._database.execute(
            "UPDATE packs SET proof = ? WHERE number = ?", (_proof(number, pack), number)
        )
        return number

    def _open(self) -> None:
        with self._translated():
            self._database = sqlite3.connect(
                self._path, timeout=_BUSY_SECONDS, isolation_level=None
            )
        try:
            self._prepare()
            self._load()
        except BaseException:
            self._database.close()
            raise

    def _prepare(self) -> None:
        with self._changing():
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            (tables,) = self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            if tables and version != FORMAT:
                raise IntegrityError(f"The index {self._path} has format {version}", _CACHE_HINT)
            for statement in () if tables else _SCHEMA.split(";"):
                self._database.execute(statement)

    def _load(self) -> None:
        """Read the list of packs anew and forget what was added but not written."""
        self._added: dict[str, PackRef] = {}
        self._buffer: dict[bytes, int] = {}
        with self._translated():
            rows = self._database.execute(
                "SELECT number, name, size, blocks, proof, damaged FROM packs"
            ).fetchall()
        self._packs = {row[0]: PackRef(*row[1:4]) for row in rows}
        self._numbers = {pack.name: number for number, pack in self._packs.items()}
        self._damaged = {row[1] for row in rows if row[5]}
        if any(row[4] != _proof(row[0], self._packs[row[0]]) for row in rows):
            raise IntegrityError(f"The index {self._path} is damaged", _CACHE_HINT)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._translated():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # not where SQLite itself took it back
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._from_sqlite(error) from error

    def _from_sqlite(self, error: sqlite3.Error) -> JunmaiError:
        what = f"Can't use the index {self._path}: {error}"
        match getattr(error, "sqlite_errorname", "").split("_")[1:2]:
            case ["BUSY" | "LOCKED"]:
                return LockedError(what, _AGAIN_HINT)
            case ["FULL"]:
                return NoSpaceError(what, _SPACE_HINT)
            case ["CANTOPEN" | "READONLY" | "PERM" | "AUTH"]:
                return AccessDeniedError(what, _ACCESS_HINT)
            case ["IOERR" | "NOMEM" | "INTERRUPT"]:
                return StorageUnavailableError(what, _AGAIN_HINT)
            case _:
                return IntegrityError(what, _CACHE_HINT)


def _checked(digest: bytes, location: int) -> int:
    """A location as it is stored, with the check of its row behind it."""
    check = (int.from_bytes(digest[:4], "little") & _CHECK_MASK) ^ location % _PRIME
    return location << _CHECK_BITS | check


def _proof(number: int, pack: PackRef) -> int:
    return crc32(f"{number} {pack.name} {pack.size} {pack.blocks}".encode())


def _location(pack: PackRef, location: int) -> Location:
    return Location(pack, location & _BLOCK_MASK)


def _batches(items: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for at in range(0, len(items), _ARGUMENTS):
        yield items[at : at + _ARGUMENTS]
