"""The one tree of errors. Each says what went wrong, with which thing and where, and what to do.

    JunmaiError
    ├── UsageError             the call or the configuration is wrong
    │   └── PlanError          the source does not fit the target schema; nothing was done
    ├── NotFoundError          a file, a snapshot, a run that should be there is not
    ├── LockedError            somebody else is using the database
    ├── AccessDeniedError      the operating system or the store refuses
    │   └── RetainedError      an object lock keeps it (storage.backends.base)
    ├── IntegrityError         bytes are not what they should be
    │   ├── ChecksumError      a digest differs from the recorded one
    │   └── DivergedError      journal and store tell two histories (storage.journal.failures)
    ├── MigrationFailedError   the target was not published; source and backup are as they were
    ├── JournalConflictError   somebody appended to the stream first
    ├── StorageUnavailableError   may work later
    └── NoSpaceError           a disk or a quota is full

Beside the tree, since it is no failure of anything: InterruptedRunError, SIGINT or SIGTERM arrived.

Foreign errors (sqlite3, OSError, peewee) are translated at the edge where they arise and chained.
Exit codes belong to `service.exits`, the only place that knows them.
"""


class JunmaiError(Exception):
    """An error a person is told about: `message` names what, which and where; `hint` what to do.

    Both go into the journal and the log, from where nothing is ever removed: neither holds a value
    or a key of a row. `shown` is the message with these, for the eyes of who called.
    """

    def __init__(self, message: str, hint: str = "", *, shown: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.shown = message if shown is None else shown


class UsageError(JunmaiError):
    """The arguments or the configuration can't be used as they are."""


class PlanError(UsageError):
    """The source holds something that the plan does not account for; nothing has been written."""


class NotFoundError(JunmaiError):
    """Something that was named does not exist."""


class LockedError(JunmaiError):
    """Another process or run holds the database."""


class AccessDeniedError(JunmaiError):
    """Permissions do not allow it."""


class IntegrityError(JunmaiError):
    """A database, manifest or journal is damaged, or is not what it claims to be."""


class ChecksumError(IntegrityError):
    """The SHA-256 of the bytes differs from the one recorded."""


class MigrationFailedError(JunmaiError):
    """The migration stopped before it published anything."""


class JournalConflictError(JunmaiError):
    """The stream is not at the version that the caller expected."""


class StorageUnavailableError(JunmaiError):
    """A store or device did not answer; the same call may work later."""


class NoSpaceError(JunmaiError):
    """There is no room for what had to be written; what was there before is intact."""


class InterruptedRunError(BaseException):
    """A signal asked the run to stop; `signum` says which.

    Like KeyboardInterrupt it is no Exception: what goes on after an error of a store, of a file or
    of a library must not go on after this.
    """

    def __init__(self, signum: int) -> None:
        super().__init__("Interrupted")
        self.signum = signum
        self.message = self.shown = "Interrupted"
        self.hint = "Run the same command again: nothing half-done was left."


# What a person is told by its message and hint, whatever else is a bug.
ToldError = JunmaiError | InterruptedRunError
