"""The metrics are valid, name their units, and say the same as the status."""

import re

import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from tests.harness.statuses import NOW, STATES, failing, well

from junmai_svc.service.status.fold import fold_status
from junmai_svc.service.status.metrics import render_metrics
from junmai_svc.service.status.observation import Observation

UNITS = ("_seconds", "_bytes")


def metrics(observation: Observation) -> dict[str, Metric]:
    text = render_metrics(fold_status(observation)).decode()
    return {each.name: each for each in text_string_to_metric_families(text)}


def values(observation: Observation, name: str) -> dict[tuple[str, ...], float]:
    """The samples of a metric by their labels, which stand in the order of their names."""
    samples = metrics(observation)[name].samples
    return {tuple(label for _, label in sorted(s.labels.items())): s.value for s in samples}


@pytest.mark.parametrize("state", STATES)
def test_every_metric_is_named_and_explained(state: str) -> None:
    found = metrics(STATES[state]())
    assert len(found) > 20
    for name, metric in found.items():
        assert re.fullmatch(r"junmai_[a-z_]+", name)
        assert metric.documentation.endswith(".")
        assert metric.type in {"gauge", "counter"}
        if re.search(r"age|size|duration|timestamp", name):
            assert name.endswith(UNITS), name


def test_ages_are_those_of_the_status_in_seconds() -> None:
    assert values(well(), "junmai_snapshot_last_good_age_seconds") == {("junmai", "local"): 17 * 60}
    proven = values(well(), "junmai_snapshot_last_proven_age_seconds")
    assert proven == {("junmai", "local"): (2 * 60 + 17) * 60}


def test_what_is_not_there_has_no_age_but_a_state() -> None:
    good = values(failing(), "junmai_snapshot_last_good_age_seconds")
    assert ("wine", "local") not in good
    states = values(failing(), "junmai_database_state")
    assert states["wine", "overdue", "local"] == 1
    assert sum(value for key, value in states.items() if (key[0], key[2]) == ("wine", "local")) == 1


def test_failures_stores_journal_and_version_are_told() -> None:
    assert values(failing(), "junmai_job_failures_in_a_row")["junmai", "backup", "offsite"] == 26
    runs = values(failing(), "junmai_job_runs")
    assert runs["junmai", "backup", "succeeded", "local"] == 217
    assert values(failing(), "junmai_store_up") == {("local",): 1, ("offsite",): 0}
    assert values(failing(), "junmai_store_unreadable_manifests")["local",] == 1
    assert values(failing(), "junmai_journal_unpublished_events") == {(): 1311}
    assert values(failing(), "junmai_journal_size_bytes") == {(): 1_280_000}
    assert values(well(), "junmai_build_info") == {("0.1.0",): 1}
    start = values(well(), "junmai_daemon_start_timestamp_seconds")[()]
    assert NOW.timestamp() - start == 9 * 86400


def test_healthy_is_what_healthz_says() -> None:
    for make in STATES.values():
        assert values(make(), "junmai_healthy") == {(): int(fold_status(make()).healthy)}


def test_nothing_comes_into_the_registry_that_all_programs_share() -> None:
    before = set(REGISTRY._names_to_collectors)
    render_metrics(fold_status(well()))
    assert set(REGISTRY._names_to_collectors) == before
    assert b"python_info" not in render_metrics(fold_status(well()))
