"""What people were told, in the daemon's note: a restart repeats nothing and forgets nothing."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from junmai_svc.service.daemon.lock import NoticeNote, StandingNote
from junmai_svc.service.notify.notices import Notice, Standing, Trouble


def times_in(texts: Mapping[str, str]) -> dict[str, datetime]:
    """Return the times of a note, which anybody may have written to; what is none is left out."""
    found = {subject: _time(text) for subject, text in texts.items()}
    return {subject: when for subject, when in found.items() if when is not None}


def noted(standings: Mapping[str, Standing]) -> dict[str, StandingNote]:
    """Return the standings as the note has them."""
    return {
        subject: StandingNote(
            trouble=each.trouble.value if each.trouble else None,
            told=sorted(each.told),
            told_at=each.told_at.isoformat() if each.told_at else None,
            within=each.within,
        )
        for subject, each in standings.items()
    }


def standings_in(notes: Mapping[str, StandingNote]) -> dict[str, Standing]:
    """Return the standings of a note; one that can't be is left out."""
    found = {}
    for subject, note in notes.items():
        when = _time(note.told_at or "")
        try:
            told = frozenset(Trouble(each) for each in note.told)
            trouble = Trouble(note.trouble) if note.trouble is not None else None
        except ValueError:
            continue
        if when is not None or not told:
            found[subject] = Standing(trouble, told, when, note.within)
    return found


def held_noted(notices: Iterable[Notice]) -> list[NoticeNote]:
    """Return what is held back as the note has it."""
    return [
        NoticeNote(
            subject=each.subject,
            state=each.state,
            text=each.text,
            store=each.store,
            urgent=each.urgent,
            ends=sorted(each.ends),
        )
        for each in notices
    ]


def held_in(notes: Iterable[NoticeNote]) -> list[Notice]:
    """Return what a note holds back; what can't be is left out."""
    found = []
    for note in notes:
        with suppress(ValueError):
            ends = frozenset(Trouble(each) for each in note.ends)
            made = Notice(note.subject, note.state, note.text, note.store, note.urgent, ends)
            found.append(made)
    return found


def _time(text: str) -> datetime | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo is not None else None
