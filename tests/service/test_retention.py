"""Retention keeps what it must whatever the policy, says why, and drops nothing in doubt."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

from hypothesis import given
from hypothesis import strategies as st

from junmai_svc.service.retention import Candidate, Policies, Policy, decide
from junmai_svc.storage.snapshots.manifest import Reason

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NOTHING = Policy(keep_within=None, keep_last=0)


def candidate(
    name: str,
    days: float,
    reason: Reason = Reason.SCHEDULED,
    database: str = "junmai.db",
    *,
    held: bool = False,
    proven: datetime | None = None,
) -> Candidate:
    taken = NOW - timedelta(days=days)
    return Candidate(name, database, taken, reason, held=held, proven=proven)


def kept(candidates: list[Candidate], policy: Policy, now: datetime = NOW) -> dict[str, list[str]]:
    return {d.candidate.name: list(d.reasons) for d in decide(candidates, policy, now) if d.keep}


ages = st.floats(0, 400, allow_nan=False)
candidates = st.lists(
    st.builds(
        lambda days, reason, database, held, proven: (days, reason, database, held, proven),
        ages,
        st.sampled_from(list(Reason)),
        st.sampled_from(["a.db", "b.db"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=30,
).map(
    lambda rows: [
        Candidate(
            f"s{number}",
            database,
            NOW - timedelta(days=days),
            reason,
            held=held,
            proven=NOW if proven else None,
        )
        for number, (days, reason, database, held, proven) in enumerate(rows)
    ]
)
policies = st.builds(
    Policy,
    keep_within=st.none() | st.integers(1, 100).map(lambda days: timedelta(days=days)),
    keep_last=st.integers(0, 4),
    keep_hourly=st.integers(0, 4),
    keep_daily=st.integers(0, 4),
    keep_weekly=st.integers(0, 4),
    keep_monthly=st.integers(0, 4),
    keep_yearly=st.integers(0, 4),
)


@given(candidates, policies)
def test_every_snapshot_gets_exactly_one_decision(found: list[Candidate], policy: Policy) -> None:
    decisions = decide(found, policy, NOW)
    assert sorted(d.candidate.name for d in decisions) == sorted(each.name for each in found)


@given(candidates, policies)
def test_the_floors_hold_whatever_the_policy(found: list[Candidate], policy: Policy) -> None:
    names = kept(found, policy)
    for database in {each.database for each in found}:
        own = [each for each in found if each.database == database]
        lasting = [each for each in own if not each.reason.is_undo]
        for group in (
            lasting,
            [each for each in lasting if each.proven],
            [each for each in lasting if each.reason is Reason.MIGRATION],
        ):
            if group:
                assert any(
                    each.name in names
                    for each in group
                    if each.taken == max(other.taken for other in group)
                )
        assert all(each.name in names for each in own if each.held)


@given(candidates, policies)
def test_nothing_goes_when_the_clock_went_back(found: list[Candidate], policy: Policy) -> None:
    before = min((each.taken for each in found), default=NOW) - timedelta(seconds=1)
    assert len(kept(found, policy, before)) == len(found)


@given(candidates, policies, st.integers(0, 3))
def test_a_wider_policy_never_keeps_less(found: list[Candidate], policy: Policy, more: int) -> None:
    wider = Policy(
        policy.keep_within,
        policy.keep_last + more,
        policy.keep_hourly + more,
        policy.keep_daily + more,
        policy.keep_weekly + more,
        policy.keep_monthly + more,
        policy.keep_yearly + more,
    )
    assert kept(found, policy).keys() <= kept(found, wider).keys()


def test_by_default_what_is_older_than_30_days_goes() -> None:
    found = [candidate(f"d{days}", days) for days in (0, 1, 2, 3, 29, 31, 60)]
    assert list(kept(found, Policy())) == ["d0", "d1", "d2", "d3", "d29"]


def test_each_kept_snapshot_says_why() -> None:
    found = [
        candidate("new", 1),
        candidate("migrated", 31, Reason.MIGRATION),
        candidate("proven", 60, proven=NOW),
        candidate("held", 70, held=True),
        candidate("old", 80),
    ]
    assert kept(found, Policy(keep_last=1)) == {
        "new": ["recent", "newest", "one of the last"],
        "migrated": ["before the last migration"],
        "proven": ["newest proven"],
        "held": ["held"],
    }


def test_nothing_goes_when_backups_stopped_or_the_clock_jumped() -> None:
    found = [candidate("a", 31), candidate("b", 90)]
    assert kept(found, Policy(keep_last=0)).keys() == {"a", "b"}
    assert "no recent snapshot" in kept(found, Policy(keep_last=0))["b"]


YEAR = timedelta(days=400)


@given(st.integers(2, 30), policies, st.integers(1, 5))
def test_a_clock_that_jumps_ahead_drops_nothing_however_often_it_is_backed_up_then(
    days: int, policy: Policy, more: int
) -> None:
    """Seven daily snapshots, then some more of one day 400 days later."""
    within = policy.keep_within or timedelta(days=30)
    found = [candidate(f"s{number}", number) for number in range(min(days, within.days + 1))]
    policy = replace(policy, keep_within=within)
    later = [candidate(f"later {n}", -400 - n * within / timedelta(days=6)) for n in range(more)]
    now = NOW + YEAR + within
    assert kept([*found, *later], policy, now).keys() >= {each.name for each in found}


def test_a_clock_that_jumped_says_so_and_nothing_goes_when_it_comes_back() -> None:
    found = [candidate("ahead", -400), *(candidate(f"s{days}", days) for days in range(1, 8))]
    told = kept(found, Policy(), NOW + YEAR)
    assert told["s7"] == ["the clock may have jumped"]
    assert len(kept(found, Policy())) == len(found)


def test_a_real_pause_is_believed_once_there_are_snapshots_of_as_long_as_is_kept() -> None:
    before = [candidate(f"s{days}", 400 + days) for days in range(7)]
    since = [candidate(f"new {days}", days) for days in range(30)]
    assert len(kept([*before, *since], Policy())) == 37
    since.append(candidate("new 30", 30))
    assert kept([*before, *since], Policy()).keys() == {each.name for each in since}


def test_who_takes_a_snapshot_now_and_then_only_is_not_taken_for_a_wrong_clock() -> None:
    found = [candidate(f"s{days}", days) for days in range(1, 500, 60)]
    assert kept(found, Policy(keep_last=1)).keys() == {"s1"}


def test_nothing_goes_where_the_stores_clock_tells_another_time() -> None:
    found = [candidate("a", 1), candidate("b", 90)]
    policy = Policy(keep_last=1)
    for there in (NOW - YEAR, NOW + YEAR):
        told = {d.candidate.name: d.reasons for d in decide(found, policy, NOW, there)}
        assert told["b"] == ("the store's clock tells another time",)
    for there in (NOW - timedelta(hours=2), NOW + timedelta(hours=2)):
        assert [d.keep for d in decide(found, policy, NOW, there)] == [True, False]


def test_an_undo_snapshot_never_takes_the_place_of_a_real_one() -> None:
    found = [candidate("undo", 0, Reason.PRE_RESTORE), candidate("real", 1)]
    assert kept(found, NOTHING).keys() == {"real"}


def test_one_database_says_nothing_about_another() -> None:
    found = [candidate("a", 1, database="a.db"), candidate("b", 2, database="b.db")]
    assert kept(found, NOTHING).keys() == {"a", "b"}


def test_the_newest_of_each_period_is_kept() -> None:
    found = [candidate(f"h{hours}", hours / 24) for hours in range(0, 72, 6)]
    policy = Policy(keep_within=None, keep_last=0, keep_daily=3)
    assert [name for name, why in kept(found, policy).items() if "daily" in why] == [
        "h0",
        "h18",
        "h42",
    ]


def test_each_database_is_kept_by_its_own_policy_if_it_has_one(tmp_path: Path) -> None:
    one, two = str(tmp_path / "one.db"), str(tmp_path / "two.db")
    found = [
        candidate(f"{name} {days}", days, database=database)
        for name, database in (("one", one), ("two", two))
        for days in (0, 31, 45, 60)
    ]
    own = {PurePath(two): Policy(timedelta(days=30), keep_last=3)}
    decisions = decide(found, Policies(Policy(timedelta(days=30), keep_last=1), own), NOW)
    names = {each.candidate.name for each in decisions if each.keep}
    assert names == {"one 0", "two 0", "two 31", "two 45"}
