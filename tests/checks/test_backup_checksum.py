"""A backup's checksum."""

from hashlib import sha256
from pathlib import Path

from junmai_svc.checks import backup_checksum


def test_the_recorded_checksum_is_confirmed_in_either_case(tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    backup.write_bytes(b"content")
    recorded = sha256(b"content").hexdigest()
    result = backup_checksum.check(backup, recorded)
    assert (result.total, result.counts) == (0, {"bytes": 7})
    assert backup_checksum.check(backup, recorded.upper()).total == 0


def test_one_other_byte_is_a_mismatch_with_the_advice_for_it(tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    backup.write_bytes(b"content")
    recorded = sha256(b"cOntent").hexdigest()
    (finding,) = backup_checksum.check(backup, recorded).findings
    assert finding.describe().startswith("Backup checksum mismatch in backup.db: expected")
    assert finding.hint == "Backup file may be corrupted, create a new backup"
    assert finding.actual == sha256(b"content").hexdigest()


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    backup = tmp_path / "backup.db"
    backup.write_bytes(bytes(3_000_000))
    seen: list[int] = []
    backup_checksum.check(backup, "", seen.append)
    assert sum(seen) == 3_000_000
