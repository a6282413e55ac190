"""The catalogue: every type of event that may be recorded, as data, and the life of a stream.

A type is `junmai.<category>.<name>.v<version>`, a stream `<category>/<uuid>`: one stream for each
operation, `database/<id>` for each database and `journal/<id>` for the journal itself. A stream
begins with its category's start, and one that has a terminal event is never appended to again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from junmai_svc.storage.errors import JournalConflictError, UsageError

# The first of each is the category's start; * marks the terminal ones.
_NAMES = {
    "journal": "opened key_rotated recovered store_accepted",
    "backup": "started staged snapshot_taken stored store_failed verified* failed* abandoned*",
    "migration": "requested planned backup_staged backup_linked started table_copied"
    " constraints_checked reproduced verified* failed* rolled_back* abandoned*",
    "restore": "requested pre_restore_backup_taken staged digests_matched"
    " switched* failed* abandoned*",
    "verification": "started completed* mismatch_found* failed* abandoned*",
    "copy": "started staged copied not_copied completed* failed* abandoned*",
    "check": "started finding examined repaired completed* damage_found* failed* abandoned*",
    "prune": "planned deleting snapshot_deleted completed* failed* abandoned*",
    "cutover": "prepared switched* reverted* failed* abandoned*",
    "replay": "started confirmed* reproduced* diverged* not_reproducible* input_missing*"
    " failed* abandoned*",
    "drill": "started proven* failed* inconclusive* abandoned*",
    "daemon": "started jobs_missed job_skipped job_failed configuration_reloaded"
    " configuration_refused stopped* failed* abandoned*",
    "database": "registered lease_taken lease_released",
}
# The version in which an event is recorded today, where it is not the first one.
_VERSIONS = {"journal.opened": 2}
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Role(StrEnum):
    """What an event does to its stream: begins it, goes on with it, or ends it."""

    START = "start"
    STEP = "step"
    TERMINAL = "terminal"


class StreamState(StrEnum):
    """OPEN waits for its terminal event; LASTING is of a category that has none."""

    NEW = "new"
    OPEN = "open"
    ENDED = "ended"
    LASTING = "lasting"


@dataclass(frozen=True, slots=True)
class EventKind:
    """One line of the catalogue."""

    category: str
    name: str
    role: Role
    version: int

    @property
    def type(self) -> str:
        """The type as it stands in an entry."""
        return f"junmai.{self.category}.{self.name}.v{self.version}"


def _kinds() -> Iterable[EventKind]:
    for category, names in _NAMES.items():
        for number, marked in enumerate(names.split()):
            name = marked.rstrip("*")
            step = Role.TERMINAL if marked != name else Role.STEP
            version = _VERSIONS.get(f"{category}.{name}", 1)
            yield EventKind(category, name, step if number else Role.START, version)


CATALOGUE: Mapping[str, EventKind] = {kind.type: kind for kind in _kinds()}
STARTS: Mapping[str, EventKind] = {
    kind.category: kind for kind in CATALOGUE.values() if kind.role is Role.START
}
OPERATIONS: tuple[str, ...] = tuple(
    dict.fromkeys(kind.category for kind in CATALOGUE.values() if kind.role is Role.TERMINAL)
)
# What a run's status may be: how it ended, or that it has not.
ENDINGS: tuple[str, ...] = tuple(
    dict.fromkeys(kind.name for kind in CATALOGUE.values() if kind.role is Role.TERMINAL)
)
RUNNING = "running"
_BY_STEM = {kind.type.rpartition(".v")[0]: kind for kind in CATALOGUE.values()}


def event_type(category: str, name: str) -> str:
    """Return the type under which an event is recorded today.

    Raises:
        UsageError: the catalogue has no such event.
    """
    kind = _BY_STEM.get(f"junmai.{category}.{name}")
    if kind is None:
        raise UsageError(f"There is no event {name} of {category}", "See the catalogue of events.")
    return kind.type


def kind_of(type_: str) -> EventKind | None:
    """Return the catalogue's line for a type of any version, None for one it doesn't know.

    A journal written by a newer version may hold such types; they count as steps.
    """
    return CATALOGUE.get(type_) or _BY_STEM.get(type_.rpartition(".v")[0])


def stream_name(category: str, identifier: str) -> str:
    """Return the stream of one operation, database or journal.

    Raises:
        UsageError: the category is unknown, or the identifier is not a UUID in its usual form.
    """
    if category not in STARTS:
        raise UsageError(f"There is no category {category!r} of events", f"Use {', '.join(STARTS)}")
    return f"{category}/{require_uuid(identifier, 'A stream')}"


def split_stream(stream: str) -> tuple[str, str]:
    """Return a stream's category and identifier.

    Raises:
        UsageError: it is not `<category>/<uuid>` with a known category.
    """
    category, _, identifier = stream.partition("/")
    stream_name(category, identifier)
    return category, identifier


def require_uuid(text: str, what: str) -> str:
    """Return the text if it is a UUID in its usual form: 36 lower-case characters.

    Raises:
        UsageError: it is not; `what` begins the message.
    """
    if not _UUID.fullmatch(text):
        raise UsageError(
            f"{what} is named by a UUID, not by {text!r}",
            "It looks like 0190163d-8694-739b-aea5-966c26f8ad91; `history` lists them.",
        )
    return text


def state_of(types: Iterable[str]) -> StreamState:
    """Tell from the types of all its events, or of the last one only, whether a stream is ended."""
    state = StreamState.NEW
    for type_ in types:
        kind = kind_of(type_)
        if kind is not None and kind.role is Role.TERMINAL:
            return StreamState.ENDED
        category = type_.split(".")[1] if kind is None else kind.category
        state = StreamState.OPEN if category in OPERATIONS else StreamState.LASTING
    return state


def require_next(stream: str, previous: str | None, type_: str) -> None:
    """Make sure that an event of a type may follow the stream's last one, of type `previous`.

    Raises:
        UsageError: the type is unknown, of another category, or does not begin a new stream.
        JournalConflictError: the stream is ended, or has been begun by somebody else.
    """
    # A stream that has an event has a good name.
    category = split_stream(stream)[0] if previous is None else stream.partition("/")[0]
    kind = CATALOGUE.get(type_)
    if kind is None or kind.category != category:
        raise UsageError(
            f"An event of type {type_} can't be recorded in the stream {stream}",
            "Its category must be the stream's, and the catalogue must have it.",
        )
    if previous is None:
        if kind.role is not Role.START:
            raise UsageError(
                f"The stream {stream} can't begin with {type_}",
                f"Its first event is {STARTS[category].type}.",
            )
    elif kind.role is Role.START:
        raise JournalConflictError(
            f"The stream {stream} has been begun already", "Use a new identifier for a new run."
        )
    elif state_of([previous]) is StreamState.ENDED:
        raise JournalConflictError(
            f"The stream {stream} ended with {previous}; {type_} can't follow it",
            "See what ended it, then begin a new run.",
        )
