"""The error to tell of, among those that came of one another. Pure."""

from typing import TypeVar

E = TypeVar("E", bound=Exception)

# What leaving a `with` block adds where the database has rolled back by itself already, as SQLite
# does after a full disk, an I/O error or an interruption.
_CONSEQUENCES = (
    "cannot rollback - no transaction is active",
    "cannot commit - no transaction is active",
    "no such savepoint",
)


def cause_of(error: BaseException, kind: type[E], wrapper: type[Exception]) -> E | None:
    """Return the error of a `kind` that tells what happened; None where there is none.

    `wrapper` is the class in which a library hands such errors on. Errors that only say that the
    transaction is gone give way to the one that came before them.
    """
    found: E | None = None
    inner: BaseException | None = error
    while isinstance(inner, (kind, wrapper)):
        if isinstance(inner, kind):
            found = inner
            if not str(inner).startswith(_CONSEQUENCES):
                break
        inner = inner.__cause__ or inner.__context__
    return found
