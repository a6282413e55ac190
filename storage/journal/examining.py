"""Looking at many entries at once: what a million of them need is decoded and compared in batches.

Nothing is believed: neither the order, nor the columns, nor the hashes. What is wrong is data with
its position, the first ones of each kind; looking goes on behind it.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from junmai_svc.storage.errors import IntegrityError
from junmai_svc.storage.journal import events
from junmai_svc.storage.journal.entry import Envelope, decode, source_of
from junmai_svc.storage.journal.folding import TELLING, Row, changes
from junmai_svc.storage.journal.growing import GrowingTree
from junmai_svc.storage.journal.merkle import HASH_BYTES
from junmai_svc.storage.journal.troubles import Troubles
from junmai_svc.storage.journal.upcasting import upcast

STEP = 1024

_TERMINAL = frozenset(
    kind.type for kind in events.CATALOGUE.values() if kind.role is events.Role.TERMINAL
)


class _Outline(Envelope, kw_only=True, gc=False):
    """An entry as `entry.decode` demands it, its data left as it is."""

    data: msgspec.Raw


_decoder = msgspec.json.Decoder(_Outline)
_data = msgspec.json.Decoder(dict[str, Any]).decode

# What an event names by its SHA-256, and the bytes by which such an event is found quickly.
_NAMES_DETAILS = ("details", "plan")
_MARKS = tuple(f'"{name}":"'.encode() for name in _NAMES_DETAILS)
_DIGEST = re.compile("[0-9a-f]{64}")

# In the place of an event that is missing; more than so many in a row are none that ever were.
_NO_LEAF = bytes(HASH_BYTES)
_MOST_MISSING = 1 << 20

# What the columns hold of an entry, in their order: position, id, stream, version, type, time.
Columns = tuple[int, str, str, int, str, str]
Beside = tuple[Columns, bytes]


@dataclass(frozen=True, slots=True)
class Detail:
    """Where something too large for an event is named: the first position, and its stream."""

    position: int
    stream: str


class Examination:
    """Entries looked at in their order.

    `damage` is about bytes: an entry that is none, does not belong there, is missing, or is not
    what its hash and columns say. `gaps` are about streams: versions that do not follow, or what
    comes after an end. `tree` is that over the entries as they are, with its roots at the `wanted`
    sizes; one that is missing counts with a hash that no entry has, so that those behind it keep
    their places. `lost` says how many are. `rows` are what the events amount to, and `details` what
    they name by its SHA-256 in hex, where they are to be folded.
    """

    def __init__(
        self, journal_id: str, wanted: Iterable[int] = (), *, where: str = "", fold: bool = False
    ) -> None:
        self.damage = Troubles()
        self.gaps = Troubles()
        self.tree = GrowingTree(wanted)
        self.lost = 0
        self.rows: dict[tuple[str, str], Row] = {}
        self.details: dict[str, Detail] = {}
        self._journal_id = journal_id
        self._where = Path(where)
        self._fold = fold
        self._source = source_of(journal_id)
        self._versions: dict[str, int] = {}
        self._types: dict[str, str] = {}
        self._begun: dict[str, int] = {}

    @property
    def size(self) -> int:
        """How many entries there were, those that are missing among them."""
        return self.tree.size

    def open_streams(self) -> list[str]:
        """Return the streams of operations that did not end, in the order they began."""
        return [
            stream
            for stream, type_ in self._types.items()
            if events.state_of([type_]) is events.StreamState.OPEN
        ]

    def begun(self, stream: str) -> int:
        """Return the position of a stream's first event."""
        return self._begun[stream]

    def add(self, entries: Sequence[bytes], rows: Sequence[Beside] | None = None) -> None:
        """Look at the next entries, and at the columns and the hash stored beside each."""
        if rows and rows[-1][0][0] - self.tree.size >= len(rows):
            self._add_apart(entries, rows)
        else:
            self._add(entries, rows)

    def _add_apart(self, entries: Sequence[bytes], rows: Sequence[Beside]) -> None:
        """Look at entries among which some are missing."""
        begin, expected = 0, self.tree.size
        for number, ((position, *_), _) in enumerate(rows):
            if 0 < position - expected <= _MOST_MISSING:
                self._add(entries[begin:number], rows[begin:number])
                self._miss(position)
                begin, expected = number, position
            expected += 1
        self._add(entries[begin:], rows[begin:])

    def _miss(self, end: int) -> None:
        """Note that there are no events up to a position, and keep their places."""
        begin = self.tree.size
        which = (
            f"event {begin:,} is" if end == begin + 1 else f"events {begin:,} to {end - 1:,} are"
        )
        self.damage.add(begin, f"{which} missing")
        self.lost += end - begin
        self.tree.add([_NO_LEAF] * (end - begin))

    def _add(self, entries: Sequence[bytes], rows: Sequence[Beside] | None) -> None:
        sha256, versions, types = hashlib.sha256, self._versions, self._types
        leaves = [sha256(b"\x00" + entry).digest() for entry in entries]
        position = self.tree.size
        if rows is not None:
            self._compare_hashes(position, leaves, rows)
        outlines = self._outlines(position, entries)
        for number, outline in enumerate(outlines, position):
            if outline is None:
                continue
            stream, version, type_ = outline.subject, outline.streamversion, outline.type
            if outline.position != number or outline.source != self._source:
                self._misplaced(number, outline)
            elif rows is not None and rows[number - position][0] != (
                number,
                outline.id,
                stream,
                version,
                type_,
                outline.time,
            ):
                self.damage.add(number, "its columns differ from its entry")
            before = versions.get(stream, 0)
            if version != before + 1 and not 0 < version - before - 1 <= self.lost:
                self.gaps.add(number, f"version {version} of {stream} follows {before}")
            elif types.get(stream) in _TERMINAL:
                self.gaps.add(number, f"{type_} follows the end of {stream}")
            if stream not in types:
                self._begun[stream] = number
            versions[stream] = version
            types[stream] = type_
            if self._fold:
                self._tell(number, entries[number - position], stream, type_)
        self.tree.add(leaves)

    def _compare_hashes(self, position: int, leaves: list[bytes], rows: Sequence[Beside]) -> None:
        if leaves != [leaf for _, leaf in rows]:
            for number, (leaf, (_, stored)) in enumerate(zip(leaves, rows, strict=True), position):
                if leaf != stored:
                    self.damage.add(number, "EDITED: its hash is not that of its entry")

    def _outlines(self, position: int, entries: Sequence[bytes]) -> list[_Outline | None]:
        """Decode entries in one step, or one by one where that shows which of them is none."""
        try:
            decoded = _decoder.decode_lines(b"\n".join(entries))
            for outline in decoded:
                _require_time(outline.time)
            if len(decoded) == len(entries):
                return [*decoded]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            pass
        found: list[_Outline | None] = []
        for number, entry in enumerate(entries, position):
            try:
                outline = _decoder.decode(entry)
                _require_time(outline.time)
            except (msgspec.MsgspecError, ValueError, RecursionError) as error:
                self.damage.add(number, f"it is no entry: {error}")
                found.append(None)
            else:
                found.append(outline)
        return found

    def _tell(self, number: int, entry: bytes, stream: str, type_: str) -> None:
        if any(mark in entry for mark in _MARKS):
            data = _data(_decoder.decode(entry).data)
            for told in (data.get(name) for name in _NAMES_DETAILS):
                if isinstance(told, str) and _DIGEST.fullmatch(told):
                    self.details.setdefault(told, Detail(number, stream))
        if type_ not in TELLING:
            return
        try:
            event = upcast(
                decode(entry, journal_id=self._journal_id, path=self._where, position=number)
            )
        except IntegrityError:
            return  # it is among the damage already
        for name, key, row in changes(event, lambda name, key: self.rows.get((name, key))):
            self.rows[name, key] = row

    def _misplaced(self, number: int, outline: _Outline) -> None:
        if outline.source != self._source:
            self.damage.add(number, f"the entry belongs to {outline.source!r}")
        else:
            self.damage.add(number, f"the entry belongs at {outline.position}")


def _require_time(text: str) -> None:
    datetime.fromisoformat(text)
    if len(text) != 27 or text[10] != "T" or text[26] != "Z":  # noqa: PLR2004  # see time_text
        raise ValueError(f"the time {text!r} is not in the form of an entry's")
