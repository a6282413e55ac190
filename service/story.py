"""Events in plain words, for people who read a timeline. Pure.

What an event holds is input: a field that is missing or of another kind leaves its words out.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

from junmai_svc.service.fields import Data, list_of, number_of, object_of, text_of
from junmai_svc.storage.journal.entry import Event
from junmai_svc.storage.journal.events import kind_of

SHORT = 12
SHOWN = 5
_FOUND = {
    "absent": "nothing of it was left",
    "partial": "what was half done was removed",
    "complete": "what it made is there, complete",
    "unknown": "its store says whether the snapshot is there",
}
_SECOND_MS = 1000
_TENTHS_BELOW = 9.95
_MINUTE = 60
_HOUR = 3600


def told(event: Event) -> str:
    """Return what happened, as one sentence without its full stop."""
    kind = kind_of(event.type)
    words = _WORDS.get(f"{kind.category}.{kind.name}") if kind else None
    words = words or (_WORDS.get(kind.name) if kind else None)
    text = words(event.data) if words else ""
    return text or _raw(event.data)


CLOCK_WENT_BACK = "the clock went back meanwhile"


def clock_went_back(events: Sequence[Event]) -> bool:
    """Tell whether an event was recorded when the clock showed less than at the one before it."""
    return any(after.time < before.time for before, after in pairwise(events))


def name_of(event: Event) -> str:
    """Return the event's name in words: `table copied`."""
    return event.type.split(".")[2].replace("_", " ")


def span(length: timedelta) -> str:
    """Return a length of time: `0.4 ms`, `340 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`.

    A step back, as clocks may make one, is told as such: `1 h 0 min back`.
    """
    seconds = length.total_seconds()
    if seconds < 0:
        return f"{span(-length)} back"
    ms = seconds * _SECOND_MS
    if ms < _TENTHS_BELOW:
        return f"{ms:.1f} ms" if ms else "0 ms"
    if round(ms) < _SECOND_MS:
        return f"{ms:.0f} ms"
    if round(seconds, 1) < _MINUTE:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def _raw(data: Data) -> str:
    """The fields as they are, for an event of which this version has no words."""
    texts = (f"{name} {value}" for name, value in data.items() if isinstance(value, str | int))
    return ", ".join(texts)


def _planned(data: Data) -> str:
    tables, carried = list_of(data, "tables"), list_of(data, "carried")
    rules = object_of(data, "rules")
    if "details" in data:
        return "Decided what to do; the whole plan is in the store"
    parts = [count(len(tables), "table")]
    if carried:
        parts.append(f"{len(carried)} of the source's own things carried over")
    if rules:
        filled = ", ".join(sorted(rules)[:SHOWN])
        parts.append(f"filled by rule: {filled}{' …' if len(rules) > SHOWN else ''}")
    return "Decided what to do: " + "; ".join(parts)


def _checked(data: Data) -> str:
    failed, known = object_of(data, "failed"), object_of(data, "known")
    if "details" in data and not failed:
        return f"Ran {count(number_of(data, 'checks'), 'check')}"
    first = ", ".join(f"{name} ({number})" for name, number in list(failed.items())[:SHOWN])
    if failed:
        return f"{count(len(failed), 'check')} failed: {first}"
    text = f"All {count(number_of(data, 'checks'), 'check')} passed"
    return text + (f"; {len(known)} found what the source has too" if known else "")


def _verified(data: Data) -> str:
    target = text_of(data, "target")
    return f"Every value verified; published as {target}" if target else "Verified"


def _failed(data: Data) -> str:
    hint = text_of(data, "hint")
    text = f"Failed: {text_of(data, 'message') or text_of(data, 'error')}"
    return f"{text}. {hint.rstrip('.')}" if hint else text


def _abandoned(data: Data) -> str:
    _, _, name = text_of(data, "after").removeprefix("junmai.").rpartition(".v")[0].partition(".")
    step = f" after {name.replace('_', ' ')}" if name else ""
    found = _FOUND.get(text_of(data, "found"), text_of(data, "found"))
    return f"The run died{step}; {found}" if found else f"The run died{step}"


def _copied(data: Data) -> str:
    text = f"{text_of(data, 'table')}: {count(number_of(data, 'rows'), 'row')}"
    spent = data.get("microseconds")
    return text + (f" in {span(timedelta(microseconds=spent))}" if isinstance(spent, int) else "")


def _stored(data: Data) -> str:
    size = data.get("size")
    sized = f", {size:,} bytes" if isinstance(size, int) else ""
    return f"Stored as {text_of(data, 'snapshot')}{sized}, SHA-256 {_digest(data)}"


def _replay(data: Data) -> str:
    how = "Run again" if data.get("mode") == "execute" else "Looked at again"
    return f"{how}: the {text_of(data, 'of_kind')} {text_of(data, 'of')}"


def _ended(verdict: str) -> Callable[[Data], str]:
    return lambda data: f"{verdict}: {text_of(data, 'message')}"


def _prune_planned(data: Data) -> str:
    kept = object_of(data, "reasons")
    return f"Decided about {count(len(kept), 'snapshot')}" if kept else "Decided what to keep"


def _check_started(data: Data) -> str:
    percent = number_of(data, "percent")
    read = f", reading {percent}% of its data" if percent else ""
    return f"Asked to {'mend' if data.get('repair') else 'check'} {_say(data, 'store')}{read}"


def _examined(data: Data) -> str:
    damaged, sound = list_of(data, "damaged"), list_of(data, "sound")
    names = ", ".join(str(name) for name in damaged[:SHOWN])
    more = " …" if len(damaged) > SHOWN else ""
    return f"Damaged: {names}{more}" if damaged else f"Sound: {count(len(sound), 'snapshot')}"


def _repaired(data: Data) -> str:
    moved, lost = number_of(data, "mended"), number_of(data, "lost")
    text = f"Mended {count(moved, 'block')}"
    return f"{text}; {count(lost, 'block')} could not be had from anywhere" if lost else text


def _named(did: str) -> Callable[[Data], str]:
    def told(data: Data) -> str:
        names = list_of(data, "snapshots")
        shown = ", ".join(str(name) for name in names[:SHOWN])
        return f"{did} {shown}{' …' if len(names) > SHOWN else ''}"

    return told


def _findings(data: Data) -> str:
    found = ", ".join(f"{name} ({number})" for name, number in object_of(data, "findings").items())
    return f"Differences found: {found}"


_WORDS: Mapping[str, Callable[[Data], str]] = {
    "migration.requested": lambda d: f"Asked to migrate {_say(d, 'source')} to {_say(d, 'target')}",
    "migration.planned": _planned,
    "migration.backup_linked": lambda d: (
        f"Took the snapshot {_say(d, 'snapshot')} to migrate from, SHA-256 {_digest(d)}"
    ),
    "migration.started": lambda d: f"Began to copy from {_say(d, 'image')}",
    "migration.table_copied": _copied,
    "migration.constraints_checked": _checked,
    "migration.reproduced": lambda d: (
        f"Migrated a second time: the same digests for all {_say(d, 'tables')} tables"
    ),
    "migration.verified": _verified,
    "backup.started": lambda d: f"Asked to back up {_say(d, 'source')} ({_say(d, 'reason')})",
    "backup.staged": lambda d: f"Claimed the name of {_say(d, 'image')}",
    "backup.snapshot_taken": lambda d: f"Took the image of {_say(d, 'snapshot')}",
    "backup.stored": _stored,
    "backup.verified": lambda d: f"Checked by SQLite: {_say(d, 'method')}",
    "restore.requested": lambda d: f"Asked to restore {_say(d, 'snapshot')} to {_say(d, 'target')}",
    "restore.staged": lambda _: "Began to copy the snapshot beside the database",
    "restore.digests_matched": lambda d: f"The copy is as recorded, SHA-256 {_digest(d)}",
    "restore.switched": lambda d: (
        "Put in place" + (f"; what was there is kept as {d['kept']}" if d.get("kept") else "")
    ),
    "verification.started": lambda d: (
        f"Asked to compare {_say(d, 'source')} with {_say(d, 'target')}"
        if d.get("target")
        else f"Asked to prove the snapshot {_say(d, 'snapshot')}"
    ),
    "verification.completed": lambda d: f"All {count(number_of(d, 'checks'), 'check')} passed",
    "verification.mismatch_found": _findings,
    "check.started": _check_started,
    "check.finding": lambda d: text_of(d, "problem"),
    "check.examined": _examined,
    "check.repaired": _repaired,
    "check.completed": lambda d: f"Whole: {count(number_of(d, 'snapshots'), 'snapshot')}",
    "check.damage_found": lambda d: f"Found {count(number_of(d, 'findings'), 'damaged thing')}",
    "prune.planned": _prune_planned,
    "prune.deleting": _named("About to delete"),
    "prune.snapshot_deleted": _named("Deleted"),
    "prune.completed": lambda d: f"Done; {count(number_of(d, 'deleted'), 'snapshot')} deleted",
    "replay.started": _replay,
    "replay.confirmed": _ended("CONFIRMED"),
    "replay.reproduced": _ended("REPRODUCED"),
    "replay.diverged": _ended("DIVERGED"),
    "replay.not_reproducible": _ended("NOT REPRODUCIBLE"),
    "replay.input_missing": _ended("INPUT MISSING"),
    "failed": _failed,
    "abandoned": _abandoned,
}


def count(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is one."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _say(data: Data, name: str) -> str:
    """A field within a sentence."""
    value = data.get(name)
    return str(value) if isinstance(value, str | int) else "(not recorded)"


def _digest(data: Data) -> str:
    return f"{text_of(data, 'checksum')[:SHORT]}…"
