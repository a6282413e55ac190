"""Findings as sentences, and verdicts."""

import pytest

from junmai_svc.checks.finding import CheckResult, Finding, Report, Verdict


@pytest.mark.parametrize(
    ("finding", "sentence"),
    [
        (
            Finding("rows", "t", "id = 1", "a", "1", "2", message="Value differs"),
            "Value differs in t, id = 1, column a: expected 1, found 2",
        ),
        (
            Finding("schema", "t", expected="a table", message="Table missing"),
            "Table missing in t: expected a table, found nothing",
        ),
        (Finding("schema", "t"), "Difference in t"),
        (Finding("schema", message="Database is damaged"), "Database is damaged"),
    ],
)
def test_a_finding_says_what_is_wrong_and_where(finding: Finding, sentence: str) -> None:
    assert finding.describe() == sentence


@pytest.mark.parametrize(
    ("total", "known", "verdict"),
    [(0, 0, Verdict.OK), (3, 3, Verdict.KNOWN), (3, 2, Verdict.FAILED), (3, 0, Verdict.FAILED)],
)
def test_only_what_the_source_had_not_fails(total: int, known: int, verdict: Verdict) -> None:
    result = CheckResult("rows", total=total, known=known)
    assert result.verdict is verdict
    assert Report((CheckResult("rows"), result)).passed is (verdict is not Verdict.FAILED)
