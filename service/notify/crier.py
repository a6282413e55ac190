"""Who is told what, out of how it goes with each subject; see `notices` and `holding` for when.

Notices are gathered for a moment, so that many that fail together make one message.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from junmai_svc.service.daemon.jobs import Job
from junmai_svc.service.logs import log
from junmai_svc.service.notify.holding import after_down, held_up, in_full, is_due
from junmai_svc.service.notify.notices import (
    RECOVERED,
    REMIND,
    Cause,
    Notice,
    Standing,
    Trouble,
    about_store,
    after_success,
    after_trouble,
    as_message,
    before_end,
)
from junmai_svc.service.notify.sending import Ping

WELL = "All is well again."
ANSWERS = "It is there again."


class Crier:
    """Keeps the standing of every subject; shared by the daemon's threads.

    `standings` are those that the daemon before this one left, `spoken` when it told anything of a
    store, `held` what it still had to tell.
    """

    def __init__(
        self,
        tell: Callable[[str, str], None],
        ping: Callable[[Ping], None],
        remind: timedelta = REMIND,
        standings: Mapping[str, Standing] | None = None,
        spoken: Mapping[str, datetime] | None = None,
        held: Iterable[Notice] = (),
    ) -> None:
        self.remind = remind
        self._tell, self._ping = tell, ping
        self._standings = dict(standings or {})
        self._spoken = dict(spoken or {})
        self._waiting = list(held)
        self._stores: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def began(self, job: Job) -> None:
        """Ping that backups begin."""
        if job.kind == "backup":
            self._ping("start")

    def went_well(self, subject: str, now: datetime) -> None:
        """Take note that it went well, and that its store is there."""
        with self._lock:
            store = self._stores.get(subject)
            if store is not None:
                name = about_store(store)
                self._keep(name, *after_success(self._standing(name), name, ANSWERS, now))
            self._keep(subject, *after_success(self._standing(subject), subject, WELL, now))

    def went_wrong(
        self,
        subject: str,
        trouble: Trouble,
        text: str,
        now: datetime,
        cause: Cause = Cause.OTHER,
    ) -> None:
        """Take note that it went wrong, and why, or is overdue."""
        with self._lock:
            standing, store = self._taken_back(subject), self._stores.get(subject)
            if store is not None and trouble is Trouble.FAILED and cause is Cause.DOWN:
                name = about_store(store)
                of_store = self._taken_back(name)
                standing, of_store, notice = after_down(
                    standing, of_store, store, text, now, self.remind
                )
                self._standings[subject] = standing
                self._keep(name, of_store, notice)
                return
            remind = self.remind
            if trouble is Trouble.OVERDUE and store and self._standing(about_store(store)).told:
                remind = timedelta.max  # its store's reminder says so
            urgent = trouble is Trouble.FAILED and cause is Cause.OTHER
            after = after_trouble(standing, subject, trouble, text, now, remind)
            self._keep(subject, *after, urgent=urgent)

    def ended(self, job: Job, *, settled: bool) -> None:
        """Ping that all backups are well, or that one is not: one address stands for them all.

        A job that is not `settled`, as it is soon tried again, says neither.
        """
        if job.kind == "backup" and settled:
            with self._lock:
                wrong = any(each.trouble is not None for each in self._standings.values())
            self._ping("fail" if wrong else "success")

    def configured(self, stores: Mapping[str, str | None]) -> None:
        """Hear of all subjects, and the store of each, and forget what is configured no more."""
        with self._lock:
            self._stores = dict(stores)
            known = {*stores, *(about_store(store) for store in stores.values() if store)}
            self._standings = {k: v for k, v in self._standings.items() if k in known}
            self._waiting = [each for each in self._waiting if each.subject in known]
            self._spoken = {k: v for k, v in self._spoken.items() if about_store(k) in known}

    def standings(self) -> dict[str, Standing]:
        """Return the standings in which people have heard anything, or something is wrong."""
        with self._lock:
            return {k: v for k, v in self._standings.items() if v != Standing()}

    def spoken(self) -> dict[str, datetime]:
        """Return when anything was told of each store last."""
        with self._lock:
            return dict(self._spoken)

    def held(self) -> list[Notice]:
        """Return what is still to be told."""
        with self._lock:
            return list(self._waiting)

    def flush(self, now: datetime, *, everything: bool = False) -> None:
        """Send what has gathered and is due, or everything, in one message."""
        with self._lock:
            due = {
                store
                for store in {each.store for each in self._waiting}
                if everything or store is None or self._is_due(store, now)
            }
            told = [
                in_full(each, held_up(each.store or "", self._stores, self._standings))
                for each in self._waiting
                if each.store in due
            ]
            self._waiting = [each for each in self._waiting if each.store not in due]
            self._spoken.update({store: now for store in due if store is not None})
        if told:
            self._tell(*as_message(told))

    def _is_due(self, store: str, now: datetime) -> bool:
        notices = [each for each in self._waiting if each.store == store]
        more = any(self._standing(s).within for s, of in self._stores.items() if of == store)
        return is_due(notices, self._spoken.get(store), now, more=more)

    def _standing(self, subject: str) -> Standing:
        return self._standings.get(subject, Standing())

    def _taken_back(self, subject: str) -> Standing:
        """The standing of what went wrong once more before its end, if it had one, was told."""
        for each in self._waiting:
            if each.subject == subject and each.state == RECOVERED:
                self._waiting.remove(each)
                return before_end(self._standing(subject), each)
        return self._standing(subject)

    def _keep(
        self, subject: str, standing: Standing, notice: Notice | None, *, urgent: bool = False
    ) -> None:
        self._standings[subject] = standing
        if notice is not None:
            log().info("notice", subject=subject, state=notice.state, text=notice.text)
            self._waiting.append(replace(notice, store=self._store_of(subject), urgent=urgent))

    def _store_of(self, subject: str) -> str | None:
        own = {about_store(store): store for store in self._stores.values() if store}
        return own.get(subject) or self._stores.get(subject)
