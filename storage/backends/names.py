"""Names of objects, the same in every backend, and how a file system holds them.

A name is parts joined by slashes, such as `packs/ab/abcd`. No name may be a folder of another: with
`a` there can't be `a/b`, which a bucket would hold and a folder does not.
"""

import re

from junmai_svc.storage.errors import UsageError

LONGEST_NAME = 800  # bytes of UTF-8; S3 allows 1,024 together with the prefix
LONGEST_PART = 255  # what file systems allow

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

# What a Windows file system can't hold, and a `%` that would be read as the mark of such a one.
_UNSAFE = re.compile(r'[<>:"|?*\\]|%(?=[0-9A-Fa-f]{2})')
_ENCODED = re.compile(r"%([0-9A-F]{2})")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_DEVICES = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"} | {
    f"{port}{number}" for port in ("COM", "LPT") for number in "0123456789¹²³"
}


def check_name(name: str) -> str:
    """Return the name if it can be used.

    Raises:
        UsageError: it is empty, absolute, leads elsewhere, has control characters or is too long.
    """
    problem = _problem_of(name)
    if problem:
        raise UsageError(
            f"{name[:100]!a} can't be the name of an object: {problem}",
            "Names are parts joined by single slashes, without `.`, `..` or control characters.",
        )
    return name


def check_prefix(prefix: str) -> str:
    """Return the prefix if names can begin with it.

    Raises:
        UsageError: none can.
    """
    if prefix:
        check_name(f"{prefix}x")
    return prefix


def is_name(text: str) -> bool:
    """Whether a text that was found in a place can be the name of an object."""
    return not _problem_of(text)


def _problem_of(name: str) -> str:
    parts = name.split("/")
    try:
        size, longest = len(name.encode()), max(len(part.encode()) for part in parts)
    except UnicodeEncodeError:
        return "it is not valid Unicode"
    if not name:
        return "it is empty"
    if size > LONGEST_NAME or longest > LONGEST_PART:
        return f"more than {LONGEST_NAME} bytes, or {LONGEST_PART} between slashes"
    if "" in parts:
        return "it begins or ends with a slash, or has two in a row"
    if "." in parts or ".." in parts:
        return "it leads elsewhere"
    return "it has control characters" if _CONTROL.search(name) else ""


def to_file_name(part: str) -> str:
    """Return one part of a name as every file system can hold it; `from_file_name` is the inverse.

    What can't be held becomes `%` and two upper-case hex digits: Windows' reserved characters, the
    first letter of its devices, a dot or a space at the end, and a dot at the beginning, which
    marks files that are no objects.
    """
    safe = _UNSAFE.sub(lambda found: _encoded(found[0]), part)
    if safe[-1] in ". ":
        safe = safe[:-1] + _encoded(safe[-1])
    if safe[0] == "." or part.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        safe = _encoded(safe[0]) + safe[1:]
    return safe


def from_file_name(file_name: str) -> str | None:
    """Return the part of a name that a file or folder stands for, None if it is not one of ours."""
    part = _ENCODED.sub(lambda found: chr(int(found[1], 16)), file_name)
    return part if is_name(part) and "/" not in part and to_file_name(part) == file_name else None


def _encoded(character: str) -> str:
    return f"%{ord(character):02X}"
