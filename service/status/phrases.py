"""Times and sizes in the words of a sentence. Pure."""

from datetime import datetime, timedelta

_UNITS = (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))
_SIZES = ("bytes", "kB", "MB", "GB", "TB", "PB", "EB")
_THOUSAND = 1000
_TWO_DIGITS = 9.95  # from here on, one decimal says no more than none


def duration(span: timedelta) -> str:
    """Return a span in its largest unit that fits twice, such as "36 hours"; never negative."""
    seconds = max(0, int(span.total_seconds()))
    unit, length = next(
        ((unit, length) for unit, length in _UNITS if seconds >= 2 * length), _UNITS[-1]
    )
    count = seconds // length
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def ago(when: datetime, now: datetime) -> str:
    """Return how long ago it was, "in …" where it is yet to come."""
    if abs((now - when).total_seconds()) < 1:
        return "just now"
    return f"{duration(now - when)} ago" if when <= now else f"in {duration(when - now)}"


def short(span: timedelta) -> str:
    """Return a span for where there is little room, such as "17 min"; never negative."""
    seconds = max(0, int(span.total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= (2 if unit != "min" else 1) * length:
            return f"{seconds // length:,} {unit}"
    return f"{seconds} s"


def size(count: int) -> str:
    """Return a number of bytes with two digits that matter, such as "4.6 MB"."""
    number, unit = float(count), 0
    while round(number) >= _THOUSAND and unit < len(_SIZES) - 1:
        number, unit = number / _THOUSAND, unit + 1
    digits = 1 if unit and number < _TWO_DIGITS else 0
    return f"{number:,.{digits}f} {_SIZES[unit] if count != 1 else 'byte'}"


def moment(when: datetime) -> str:
    """Return a time in UTC to the minute."""
    return when.strftime("%Y-%m-%d %H:%M UTC")


def listed(names: tuple[str, ...], most: int = 3) -> str:
    """Return names as part of a sentence; those beyond `most` are counted."""
    shown = list(names[:most])
    if len(names) > most:
        shown.append(f"{len(names) - most} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), *shown[-1:]]))
