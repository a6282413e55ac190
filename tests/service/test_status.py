"""How databases stand, and what needs attention first: judged from what was seen, never better."""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.harness.statuses import (
    DAY,
    HOUR,
    HOURLY,
    NOW,
    STATES,
    WEEKLY,
    Every,
    failing,
    job,
    nothing,
    run,
    well,
)

from junmai_svc.service.status.attention import Level
from junmai_svc.service.status.coverage import Coverage, State
from junmai_svc.service.status.fold import Status, fold_status
from junmai_svc.service.status.observation import (
    JobOutcome,
    JournalFacts,
    Listing,
    Observation,
    Proof,
    ProofOutcome,
    StoredSnapshot,
    Unsent,
    Watched,
)
from junmai_svc.storage.snapshots.manifest import Reason

MINUTE = timedelta(minutes=1)


def taken(age: timedelta, name: str = "s1", **more: object) -> StoredSnapshot:
    made = StoredSnapshot(name, "wine", NOW - age, 4096, 512)
    return replace(made, **more)  # type: ignore[arg-type]


def seen(*snapshots: StoredSnapshot, store: str = "local", **more: object) -> Observation:
    """The database `wine`, backed up every hour, and what its one store held a moment ago."""
    made = Observation(
        now=NOW,
        started=NOW - 30 * DAY,
        databases=(Watched("wine", "/srv/wine.db", (store,), HOURLY),),
        listings=(Listing(store, NOW, snapshots),),
    )
    return replace(made, **more)  # type: ignore[arg-type]


def only(status: Status) -> Coverage:
    ((coverage,),) = (database.stores for database in status.databases)
    return coverage


def texts(status: Status) -> list[str]:
    return [each.text for each in status.attention]


def test_a_fresh_snapshot_is_ok() -> None:
    status = fold_status(seen(taken(10 * MINUTE)))
    assert (status.state, status.attention, status.healthy) == (State.OK, (), True)
    assert only(status).age(NOW) == 10 * MINUTE


def test_a_backup_is_due_when_its_time_has_come_and_overdue_an_hour_later() -> None:
    # Taken at 10:17 it is due at 11:00, as the schedule is for full hours, and overdue from 12:00.
    late = taken(2 * HOUR)
    assert only(fold_status(seen(late))).due == datetime(2026, 11, 23, 11, tzinfo=NOW.tzinfo)
    assert fold_status(seen(late)).state is State.OVERDUE
    assert fold_status(seen(late, now=NOW - 18 * MINUTE)).state is State.DUE
    assert fold_status(seen(late, now=NOW - 78 * MINUTE)).state is State.OK


def test_due_is_healthy_and_overdue_is_not() -> None:
    due = fold_status(seen(taken(70 * MINUTE)))
    assert (due.state, due.healthy) == (State.DUE, True)
    overdue = fold_status(seen(taken(2 * HOUR)))
    assert not overdue.healthy
    assert texts(overdue) == [
        "The newest good snapshot of wine in local is 2 hours old; one was due 77 minutes ago."
    ]


@pytest.mark.parametrize(("period", "patience"), [(15 * MINUTE, HOUR), (DAY, DAY / 2)])
def test_overdue_is_half_a_period_after_it_was_due_an_hour_at_least(
    period: timedelta, patience: timedelta
) -> None:
    watched = Watched("wine", "/srv/wine.db", ("local",), Every(period))
    coverage = only(fold_status(seen(taken(MINUTE), databases=(watched,))))
    assert coverage.due is not None
    assert coverage.overdue == coverage.due + patience


def test_overdue_after_is_what_the_configuration_says() -> None:
    watched = Watched("wine", "/srv/wine.db", ("local",), HOURLY, overdue_after=3 * HOUR)
    assert fold_status(seen(taken(2.9 * HOUR), databases=(watched,))).state is State.DUE
    assert fold_status(seen(taken(3.1 * HOUR), databases=(watched,))).state is State.OVERDUE


def test_a_database_without_a_schedule_is_never_due() -> None:
    watched = Watched("wine", "/srv/wine.db", ("local",))
    assert fold_status(seen(taken(99 * DAY), databases=(watched,))).state is State.OK


def test_a_first_backup_has_an_hour_from_the_start() -> None:
    assert fold_status(seen(started=NOW - 59 * MINUTE)).state is State.DUE
    status = fold_status(seen(started=NOW - 61 * MINUTE))
    assert status.state is State.OVERDUE
    assert texts(status) == ["There is no good snapshot of wine in local at all."]


def test_a_store_that_was_not_looked_at_is_unknown_not_empty() -> None:
    status = fold_status(seen(listings=()))
    assert status.state is State.UNKNOWN
    assert texts(status) == ["The store local has not been looked at yet."]


def test_the_first_look_at_a_store_has_two_minutes_before_anything_is_wrong() -> None:
    assert fold_status(seen(listings=(), started=NOW - MINUTE)).healthy
    assert not fold_status(seen(listings=(), started=NOW - 3 * MINUTE)).healthy


@pytest.mark.parametrize("store_is_down", [False, True])
def test_a_backup_that_was_taken_since_the_store_was_seen_counts(store_is_down: bool) -> None:
    looked, succeeded = NOW - 9 * HOUR, NOW - 10 * MINUTE
    listing = Listing("local", looked, (taken(10 * HOUR),), problem="no" if store_is_down else None)
    done = job("backup", "wine", "local", succeeded=succeeded)
    [database] = fold_status(seen(listings=(listing,), jobs=(done,))).databases
    [coverage] = database.stores
    assert coverage.age(NOW) == NOW - succeeded
    assert not coverage.is_overdue(NOW)


def test_a_backup_that_the_store_no_longer_had_when_it_was_seen_does_not_count() -> None:
    done = job("backup", "wine", "local", succeeded=NOW - 10 * MINUTE)
    status = fold_status(seen(taken(10 * HOUR), jobs=(done,)))
    assert status.state is State.OVERDUE


def test_notifications_that_can_not_be_sent_are_wrong() -> None:
    status = fold_status(seen(taken(MINUTE), unsent=Unsent(NOW - HOUR, "no route to host")))
    assert not status.healthy
    assert texts(status) == [
        "Notifications can't be sent since 2026-11-23 11:17 UTC: no route to host."
    ]


def test_a_store_that_does_not_answer_leaves_nothing_ok() -> None:
    listing = Listing("local", NOW - HOUR, (taken(10 * MINUTE),), problem="no route to host")
    status = fold_status(seen(listings=(listing,)))
    assert status.state is State.UNKNOWN
    assert texts(status) == ["The store local could not be read 60 minutes ago: no route to host."]


def test_a_store_that_never_answered_is_not_said_to_be_empty() -> None:
    status = fold_status(seen(listings=(Listing("local", NOW, problem="no route to host"),)))
    assert status.state is State.UNKNOWN
    assert texts(status) == ["The store local could not be read just now: no route to host."]


def test_a_failed_backup_is_failing_until_a_good_one_comes() -> None:
    failed = job("backup", "wine", "local", JobOutcome.FAILED, message="disk full", failures=3)
    assert failed.finished is not None
    status = fold_status(seen(taken(50 * MINUTE), jobs=(failed,)))
    assert status.state is State.FAILING
    assert texts(status) == [
        "The last backup of wine to local failed 17 minutes ago (3 times in a row): disk full."
    ]
    assert status.attention[0].hint == "It is tried again in 43 minutes."
    assert fold_status(seen(taken(5 * MINUTE), jobs=(failed,))).state is State.OK


def test_a_failed_backup_that_is_overdue_too_is_one_sentence() -> None:
    failed = job("backup", "wine", None, JobOutcome.FAILED, message="disk full")
    (said,) = texts(fold_status(seen(taken(5 * HOUR), jobs=(failed,))))
    failure, overdue = said.split(": disk full. ")
    assert failure == "The last backup of wine failed 17 minutes ago"
    assert overdue.startswith("The newest good snapshot of wine in local is 5 hours old; one was")


def test_another_store_s_failure_is_its_own() -> None:
    failed = job("backup", "wine", "offsite", JobOutcome.FAILED)
    assert fold_status(seen(taken(15 * MINUTE), jobs=(failed,))).state is State.OK


def test_what_was_taken_only_to_undo_is_no_backup() -> None:
    undo = taken(MINUTE, "undo", reason=Reason.PRE_RESTORE)
    coverage = only(fold_status(seen(undo, taken(5 * HOUR))))
    assert coverage.state is State.OVERDUE
    assert coverage.last_good is not None
    assert coverage.last_good.snapshot.name == "s1"
    assert len(coverage.history) == 2


def test_another_database_s_snapshots_do_not_count() -> None:
    other = taken(MINUTE, database="beer")
    assert only(fold_status(seen(other))).history == ()


def proof(
    age: timedelta, outcome: ProofOutcome, name: str = "s1", store: str | None = "local"
) -> Proof:
    return Proof(name, NOW - age, outcome, store)


def test_a_newest_snapshot_that_failed_its_proof_is_failing_and_not_good() -> None:
    status = fold_status(
        seen(
            taken(MINUTE, "new"),
            taken(30 * MINUTE, "old"),
            proofs=(proof(MINUTE, ProofOutcome.FAILED, "new"),),
        )
    )
    coverage = only(status)
    assert coverage.state is State.FAILING
    assert coverage.last_good is not None
    assert coverage.last_good.snapshot.name == "old"
    assert texts(status) == ["The snapshot new of wine in local failed its proof 60 seconds ago."]


def test_a_failed_proof_weighs_until_a_later_one_passes() -> None:
    both = (taken(16 * MINUTE, "new"), taken(HOUR, "old"))
    failed = proof(15 * MINUTE, ProofOutcome.FAILED, "old")
    assert fold_status(seen(*both, proofs=(failed,))).state is State.FAILING
    passed = proof(5 * MINUTE, ProofOutcome.PROVEN, "new")
    status = fold_status(seen(*both, proofs=(failed, passed)))
    assert (status.state, status.healthy) == (State.OK, True)
    assert [each.level for each in status.attention] == [Level.NOTICE]


def test_the_last_attempt_counts_and_one_that_came_to_nothing_takes_nothing_back() -> None:
    proven = proof(20 * MINUTE, ProofOutcome.PROVEN)
    nothing_said = proof(10 * MINUTE, ProofOutcome.INCONCLUSIVE)
    failed = proof(5 * MINUTE, ProofOutcome.FAILED)
    one = taken(30 * MINUTE)
    assert only(fold_status(seen(one, proofs=(proven, nothing_said)))).last_proven is not None
    assert only(fold_status(seen(one, proofs=(failed, proven)))).last_proven is None
    assert only(fold_status(seen(one, proofs=(nothing_said,)))).last_proven is None


def test_a_proof_counts_only_for_the_store_whose_bytes_were_read() -> None:
    two = replace(
        seen(),
        databases=(Watched("wine", "/srv/wine.db", ("local", "offsite"), HOURLY),),
        listings=tuple(Listing(s, NOW, (taken(MINUTE),)) for s in ("local", "offsite")),
    )

    def proven(observation: Observation) -> list[str]:
        stores = fold_status(observation).databases[0].stores
        return [each.store for each in stores if each.last_proven]

    named = proof(MINUTE, ProofOutcome.PROVEN, store="offsite")
    assert proven(replace(two, proofs=(named,))) == ["offsite"]
    unnamed = proof(MINUTE, ProofOutcome.PROVEN, store=None)
    assert proven(replace(two, proofs=(unnamed,))) == []
    alone = replace(two, listings=(two.listings[0], Listing("offsite", NOW)), proofs=(unnamed,))
    assert proven(alone) == ["local"]


def test_a_drill_that_does_not_come_is_a_notice() -> None:
    old = [taken(n * DAY, f"s{n}") for n in range(30)]
    status = fold_status(seen(*old, drill=WEEKLY))
    assert texts(status) == ["No snapshot of wine in local was proven yet."]
    assert status.healthy
    once = proof(20 * DAY, ProofOutcome.PROVEN, "s20")
    status = fold_status(seen(*old, drill=WEEKLY, proofs=(once,)))
    assert texts(status) == ["No snapshot of wine in local was proven since 2026-11-03 12:17 UTC."]
    recent = proof(DAY, ProofOutcome.PROVEN, "s1")
    assert fold_status(seen(*old, drill=WEEKLY, proofs=(recent,))).attention == ()


def test_a_clock_that_went_back_is_noticed_and_no_age_is_negative() -> None:
    status = fold_status(seen(taken(-3 * HOUR)))
    assert only(status).age(NOW) == timedelta()
    assert texts(status) == ["The newest snapshot of wine in local is dated 3 hours ahead."]


def test_other_jobs_that_failed_are_wrong_and_the_rest_is_not() -> None:
    jobs = (
        job("prune", None, "local", JobOutcome.FAILED, message="Access denied!"),
        job("check", None, None, JobOutcome.MISSED),
        job("publish", None, None, JobOutcome.OVERLAPPED),
    )
    status = fold_status(seen(taken(MINUTE), jobs=jobs))
    assert texts(status) == ["The last prune in local failed 17 minutes ago: Access denied!"]
    assert not status.healthy
    assert status.state is State.OK


def test_a_store_that_is_gone_comes_first_with_what_it_explains_and_no_more_is_repeated() -> None:
    gone = "The store is not there any more"
    jobs = (
        job("backup", "wine", "local", JobOutcome.FAILED, message=f"{gone}. Mount it."),
        job("prune", None, "local", JobOutcome.FAILED, message=f"{gone}. Mount it."),
        job("drill", "wine", "local", JobOutcome.FAILED, message=f"{gone}. Mount it."),
        job("check", None, "local", JobOutcome.FAILED, message="Three blocks are damaged."),
    )
    listing = Listing("local", NOW, (taken(17 * MINUTE),), problem=gone)
    status = fold_status(seen(jobs=jobs, listings=(listing,)))
    by_that = "By that failed: backup of wine, drill of wine and prune."
    assert texts(status) == [
        f"The store local could not be read just now: {gone}. {by_that}",
        "The last backup of wine to local failed 17 minutes ago, as local could not be read.",
        "The last check in local failed 17 minutes ago: Three blocks are damaged.",
    ]


def test_a_drill_that_found_a_bad_snapshot_is_told_once() -> None:
    bad = proof(MINUTE, ProofOutcome.FAILED)
    drill = job("drill", "wine", "local", JobOutcome.FAILED)
    both = (taken(2 * MINUTE), taken(17 * MINUTE, "s0"))
    status = fold_status(seen(*both, proofs=(bad,), jobs=(drill,)))
    assert len(status.attention) == 1


def test_a_journal_that_can_not_be_used_comes_first() -> None:
    broken = JournalFacts(problem="The journal is damaged at position 7")
    status = fold_status(replace(failing(), journal=broken))
    assert texts(status)[0] == "The journal can't be used: The journal is damaged at position 7."


def test_a_failed_migration_is_news_for_a_week_unless_a_later_one_succeeded() -> None:
    lost = run("migration", "wine", "failed", DAY, message="it differs")
    assert texts(fold_status(seen(taken(MINUTE), runs=(lost,)))) == [
        "The last migration of wine failed 23 hours ago: it differs."
    ]
    later = run("migration", "wine", "verified", HOUR, 2)
    assert fold_status(seen(taken(MINUTE), runs=(later, lost))).attention == ()
    old = run("migration", "wine", "abandoned", 8 * DAY)
    assert fold_status(seen(taken(MINUTE), runs=(old,))).attention == ()


def test_runs_are_named_as_the_configuration_names_their_database() -> None:
    watched = Watched("wine", "/srv/wine.db", ("local",), aliases=frozenset({"../wine.db"}))
    runs = tuple(
        run("migration", each, "verified", HOUR) for each in ("/srv/wine.db", "../wine.db", "other")
    )
    status = fold_status(seen(databases=(watched,), runs=runs))
    assert [each.database for each in status.migrations] == ["wine", "wine", "other"]


def test_what_is_worst_comes_first_and_nothing_is_said_twice() -> None:
    status = fold_status(failing())
    assert [each.level for each in status.attention] == sorted(
        (each.level for each in status.attention), reverse=True
    )
    assert len(set(texts(status))) == len(status.attention)
    assert status.attention[0].text.startswith("The store offsite could not be read")
    assert status.attention[1].text.startswith("The last backup of junmai to offsite failed")


def test_nothing_watched_is_healthy() -> None:
    assert fold_status(nothing()).healthy


ages = st.integers(-120, 60 * 24 * 40).map(lambda minutes: minutes * MINUTE)
stores = st.sampled_from(["local", "offsite"])
snapshots = st.lists(
    st.builds(
        lambda age, database, reason, number: StoredSnapshot(
            f"s{number}", database, NOW - age, 4096, None, reason
        ),
        ages,
        st.sampled_from(["wine", "beer"]),
        st.sampled_from(list(Reason)),
        st.integers(0, 30),
    ),
    max_size=8,
    unique_by=lambda each: each.name,
).map(tuple)
observations = st.builds(
    lambda names, listings, proofs, jobs, drill: Observation(
        now=NOW,
        started=NOW - 3 * DAY,
        databases=tuple(
            Watched(name, f"/{name}", ("local", "offsite"), schedule, after)
            for name, schedule, after in names
        ),
        listings=listings,
        proofs=proofs,
        jobs=jobs,
        drill=drill,
    ),
    st.lists(
        st.tuples(
            st.sampled_from(["wine", "beer"]),
            st.sampled_from([None, HOURLY, WEEKLY]),
            st.sampled_from([None, HOUR, 9 * DAY]),
        ),
        max_size=2,
        unique_by=lambda each: each[0],
    ),
    st.lists(
        st.builds(
            lambda store, looked, own, problem: Listing(store, looked, own, problem=problem),
            stores,
            st.sampled_from([None, NOW]),
            snapshots,
            st.sampled_from([None, "gone"]),
        ),
        max_size=2,
        unique_by=lambda each: each.store,
    ).map(tuple),
    st.lists(
        st.builds(
            lambda number, age, outcome, store: Proof(f"s{number}", NOW - age, outcome, store),
            st.integers(0, 30),
            ages,
            st.sampled_from(list(ProofOutcome)),
            st.none() | stores,
        ),
        max_size=8,
    ).map(tuple),
    st.lists(
        st.builds(
            job,
            st.sampled_from(["backup", "drill", "prune"]),
            st.sampled_from([None, "wine", "beer"]),
            st.none() | stores,
            st.none() | st.sampled_from(list(JobOutcome)),
        ),
        max_size=4,
    ).map(tuple),
    st.sampled_from([None, WEEKLY]),
)


@given(observations)
def test_whatever_is_worse_than_due_has_a_reason_and_is_not_healthy(seen: Observation) -> None:
    status = fold_status(seen)
    for database in status.databases:
        for coverage in database.stores:
            about = status.about(coverage.database, coverage.store)
            wrong = [each for each in about if each.level is Level.WRONG]
            if coverage.state.severity > State.DUE.severity:
                assert wrong
                assert not status.healthy
        assert database.state is max(
            (each.state for each in database.stores), key=lambda each: each.severity
        )


@given(observations)
def test_nothing_is_ok_that_was_not_seen(seen: Observation) -> None:
    answered = {
        each.store for each in seen.listings if each.looked is not None and each.problem is None
    }
    for database in fold_status(seen).databases:
        for coverage in database.stores:
            if coverage.store not in answered:
                assert coverage.state.severity >= State.UNKNOWN.severity


@given(observations)
def test_no_later_moment_makes_anything_better(seen: Observation) -> None:
    later = fold_status(replace(seen, now=NOW + DAY))
    for before, after in zip(fold_status(seen).databases, later.databases, strict=True):
        assert after.state.severity >= before.state.severity


@given(observations, st.randoms())
def test_the_order_in_which_things_were_seen_does_not_matter(
    seen: Observation, dice: Random
) -> None:
    listings = list(seen.listings)
    mixed = replace(
        seen,
        listings=tuple(
            replace(each, snapshots=tuple(dice.sample(each.snapshots, len(each.snapshots))))
            for each in listings
        ),
    )
    assert [d.state for d in fold_status(mixed).databases] == [
        d.state for d in fold_status(seen).databases
    ]


@given(observations)
def test_every_sentence_ends_and_is_one_line(seen: Observation) -> None:
    for each in fold_status(seen).attention:
        assert each.text[-1] in ".!?"
        assert "\n" not in each.text


def test_the_states_that_are_looked_at_are_what_they_are_called() -> None:
    found = {name: fold_status(make()) for name, make in STATES.items()}
    assert {name: status.healthy for name, status in found.items()} == {
        "nothing": True,
        "well": True,
        "much": True,
        "failing": False,
    }
    assert fold_status(well()).attention == ()
