"""The daemon's page, its metrics and its health, served beside its jobs as long as they run."""

from collections.abc import Iterator
from contextlib import contextmanager

from junmai_svc.service.daemon.job_policy import problem_of
from junmai_svc.service.daemon.observing import Observer
from junmai_svc.service.daemon.run import Beside, Inside
from junmai_svc.service.history import show_run
from junmai_svc.service.logs import log
from junmai_svc.service.page.writing import page_text
from junmai_svc.service.status.fold import fold_status
from junmai_svc.service.status.server import StatusServer
from junmai_svc.service.wiring import open_journal
from junmai_svc.storage.errors import JunmaiError, NotFoundError


@contextmanager
def page_beside(inside: Inside) -> Iterator[Beside | None]:
    """Serve the page where the configuration says so; what looks at the stores for it is yielded.

    Backups matter more: where the address can't be had, that is logged, and they go on without it.
    """
    listen = inside.loaded().configuration.status.listen
    if not listen:
        yield None
        return
    observer = Observer(inside)

    def report(run: str) -> str | None:
        try:
            with open_journal(inside.journal, create=False) as journal:
                return page_text(journal, *show_run(journal, run), inside.loaded())
        except NotFoundError:
            return None

    try:
        server = StatusServer(listen, lambda: fold_status(observer.observe()), report)
    except JunmaiError as problem:
        log().error("page.unavailable", listen=listen, problem=problem_of(problem))
        yield None
        return
    with server:
        observer.look_round()
        log().info("page.ready", url=server.url)
        yield observer
