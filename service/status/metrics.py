"""The status in Prometheus' text format. Stateless: each scrape tells of one `Status`.

A database that has no good or no proven snapshot in a store has no sample of its age there, as no
number would be true; `absent()` and `junmai_database_state` notice it.
https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from junmai_svc.service.status.attention import Level
from junmai_svc.service.status.coverage import Coverage, State
from junmai_svc.service.status.fold import Status
from junmai_svc.service.status.observation import Job, JobOutcome

CONTENT_TYPE = CONTENT_TYPE_LATEST

_PLACE = ("database", "store")
_JOB = ("job", "database", "store")


def render_metrics(status: Status) -> bytes:
    """Return every metric of a status, from a registry of its own."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Told(status))
    return generate_latest(registry)


class _Told(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        yield from _of_program(self._status)
        yield from _of_coverages(self._status)
        yield from _of_stores(self._status)
        yield from _of_jobs(self._status)
        yield from _of_journal(self._status)


class _Gauge:
    """A gauge that is filled where there is a number to tell."""

    def __init__(self, name: str, text: str, labels: tuple[str, ...] = ()) -> None:
        self.family = GaugeMetricFamily(f"junmai_{name}", text, labels=labels)

    def tell(self, value: float | None, *labels: str | None) -> None:
        if value is not None:
            self.family.add_metric([label or "" for label in labels], value)


def _of_program(status: Status) -> Iterator[Metric]:
    build = _Gauge("build_info", "The program's version; always 1.", ("version",))
    build.tell(1, status.version)
    started = _Gauge("daemon_start_timestamp_seconds", "When the daemon started, Unix time.")
    started.tell(status.started.timestamp())
    healthy = _Gauge("healthy", "1 where nothing is wrong, as /healthz says; else 0.")
    healthy.tell(int(status.healthy))
    items = _Gauge("attention_items", "What needs attention: wrong, or only a notice.", ("level",))
    for level in Level:
        items.tell(sum(each.level is level for each in status.attention), level.value)
    yield from (each.family for each in (build, started, healthy, items))


def _of_coverages(status: Status) -> Iterator[Metric]:
    state = _Gauge("database_state", "1 for the state it is in, else 0.", (*_PLACE, "state"))
    good = _Gauge("snapshot_last_good_age_seconds", "Age of the newest good snapshot.", _PLACE)
    proven = _Gauge(
        "snapshot_last_proven_age_seconds",
        "Age of the newest snapshot that was restored or verified whole.",
        _PLACE,
    )
    proof = _Gauge(
        "proof_last_age_seconds", "How long ago the newest proven snapshot was proven.", _PLACE
    )
    last = _Gauge("snapshot_last_size_bytes", "Size of the newest good snapshot's image.", _PLACE)
    new = _Gauge(
        "snapshot_last_new_bytes", "What the store grew by with the newest good snapshot.", _PLACE
    )
    count = _Gauge("snapshots", "Snapshots in the store.", _PLACE)
    size = _Gauge(
        "snapshots_size_bytes", "Size of all images, before sharing and compression.", _PLACE
    )
    overdue = _Gauge(
        "snapshot_overdue_timestamp_seconds", "When a backup is overdue, Unix time.", _PLACE
    )
    for coverage in _coverages(status):
        place = (coverage.database, coverage.store)
        for each in State:
            state.tell(int(coverage.state is each), *place, each.value)
        age, proven_age = coverage.age(status.now), coverage.proven_age(status.now)
        good.tell(age.total_seconds() if age is not None else None, *place)
        proven.tell(proven_age.total_seconds() if proven_age is not None else None, *place)
        if coverage.last_proven and coverage.last_proven.proof:
            since = status.now - coverage.last_proven.proof.when
            proof.tell(max(0.0, since.total_seconds()), *place)
        if coverage.last_good:
            last.tell(coverage.last_good.snapshot.size, *place)
            new.tell(coverage.last_good.snapshot.new_bytes, *place)
        count.tell(len(coverage.history), *place)
        size.tell(coverage.size, *place)
        overdue.tell(coverage.overdue.timestamp() if coverage.overdue else None, *place)
    gauges = (state, good, proven, proof, last, new, count, size, overdue)
    yield from (each.family for each in gauges)


def _coverages(status: Status) -> Iterator[Coverage]:
    yield from (coverage for database in status.databases for coverage in database.stores)


def _of_stores(status: Status) -> Iterator[Metric]:
    up = _Gauge("store_up", "1 where the last look at the store succeeded, else 0.", ("store",))
    bad = _Gauge("store_unreadable_manifests", "Manifests that can't be used.", ("store",))
    for listing in status.listings:
        up.tell(int(listing.problem is None and listing.looked is not None), listing.store)
        bad.tell(len(listing.unreadable), listing.store)
    yield from (up.family, bad.family)


def _of_jobs(status: Status) -> Iterator[Metric]:
    seconds = _Gauge("job_last_duration_seconds", "How long the job last took.", _JOB)
    success = _Gauge("job_last_success", "1 where the job last succeeded, else 0.", _JOB)
    good = _Gauge(
        "job_last_success_timestamp_seconds", "When the job last succeeded, Unix time.", _JOB
    )
    failures = _Gauge("job_failures_in_a_row", "Failures since the last success.", _JOB)
    following = _Gauge("job_next_timestamp_seconds", "When the job runs next, Unix time.", _JOB)
    ended = CounterMetricFamily(
        "junmai_job_runs", "How the job's runs ended since the start.", labels=(*_JOB, "outcome")
    )
    for job in status.jobs:
        labels = _labels(job)
        seconds.tell(job.seconds, *labels)
        if job.outcome is not None:
            success.tell(int(job.outcome is JobOutcome.SUCCEEDED), *labels)
        good.tell(job.succeeded.timestamp() if job.succeeded else None, *labels)
        failures.tell(job.failures, *labels)
        following.tell(job.next_run.timestamp() if job.next_run else None, *labels)
        for outcome in JobOutcome:
            ended.add_metric([*labels, outcome.value], job.counts.get(outcome, 0))
    yield from (each.family for each in (seconds, success, good, failures, following))
    yield ended


def _labels(job: Job) -> tuple[str, str, str]:
    return job.name, job.database or "", job.store or ""


def _of_journal(status: Status) -> Iterator[Metric]:
    size = _Gauge("journal_size_bytes", "Size of the journal's file.")
    events = _Gauge("journal_events", "Events in the journal.")
    unpublished = _Gauge("journal_unpublished_events", "Events that no store has a copy of yet.")
    up = _Gauge("journal_up", "1 where the journal can be used, else 0.")
    size.tell(status.journal.size)
    events.tell(status.journal.events)
    unpublished.tell(status.journal.unpublished)
    up.tell(int(status.journal.problem is None))
    yield from (each.family for each in (size, events, unpublished, up))
