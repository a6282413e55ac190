"""Claims about the daemon as a process: signals, kills, a second one, a new configuration."""

import signal
import subprocess
import sys
import time

import pytest
from tests.daemon.installation import HEAD, NEVER_SOON, Installation
from tests.harness.databases import change
from tests.harness.listener import Listener

from junmai_svc.service.daemon.lock import read_note

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")
LOCKED = 11
# What a backup takes long enough for to be caught in the middle.
LARGE = "CREATE TABLE large AS SELECT randomblob(100000000) AS content"


def ended(running: subprocess.Popen[str]) -> int:
    running.communicate(timeout=30)
    return running.returncode


@posix
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_it_backs_up_on_its_schedule_and_a_signal_ends_it_with_0(
    installation: Installation, signum: signal.Signals
) -> None:
    running = installation.start()
    installation.wait_for(lambda: len(installation.snapshots()) >= 2, running)
    running.send_signal(signum)
    assert ended(running) == 0
    assert installation.events() == ["started", "stopped"]
    taken = [run["status"] for run in installation.runs() if run["kind"] == "backup"]
    assert len(taken) >= 2
    assert set(taken) <= {"verified", "failed"}  # the last one may have been stopped
    assert taken.count("failed") <= 1
    assert taken.count("verified") == len(installation.snapshots())


@posix
def test_it_stops_in_the_middle_of_a_backup_at_a_safe_point(installation: Installation) -> None:
    change(installation.source, LARGE)
    running = installation.start()
    installation.wait_for(lambda: list(installation.store.glob(".*.partial")), running)
    running.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert ended(running) == 0
    assert time.monotonic() - begun < 10
    [backup] = [run for run in installation.runs() if run["kind"] == "backup"]
    # What was nearly done may have been finished; else nothing of it is left.
    finished = backup["status"] == "verified"
    assert finished or (backup["status"], backup["message"]) == ("failed", "Interrupted")
    assert len(installation.snapshots()) == int(finished)
    assert list(installation.store.glob(".*")) == []
    # A stop is nobody's failure.
    assert installation.events() == ["started", "stopped"]


@posix
def test_a_second_signal_ends_it_at_once_and_the_next_start_closes_what_was_open(
    installation: Installation,
) -> None:
    running = installation.start()
    installation.wait_for(installation.snapshots, running)
    # Halted, both are seen together, whatever is going on.
    running.send_signal(signal.SIGSTOP)
    running.send_signal(signal.SIGTERM)
    running.send_signal(signal.SIGINT)
    running.send_signal(signal.SIGCONT)
    assert ended(running) in {128 + signal.SIGTERM, 128 + signal.SIGINT}
    again = installation.start()
    daemons = [run["status"] for run in installation.runs() if run["kind"] == "daemon"]
    assert daemons == ["running", "abandoned"]
    again.send_signal(signal.SIGTERM)
    assert ended(again) == 0


@posix
def test_after_a_kill_the_next_start_closes_what_was_open_and_goes_on(
    installation: Installation,
) -> None:
    change(installation.source, LARGE)
    running = installation.start()
    installation.wait_for(lambda: list(installation.store.glob(".*.partial")), running)
    running.kill()
    running.communicate()
    again = installation.start()
    installation.wait_for(installation.snapshots, again)
    again.send_signal(signal.SIGTERM)
    assert ended(again) == 0
    statuses = {(run["kind"], run["status"]) for run in installation.runs()}
    assert ("daemon", "abandoned") in statuses
    assert ("backup", "abandoned") in statuses
    assert not any(status == "running" for _, status in statuses)
    assert list(installation.store.glob(".*")) == []


@posix
def test_a_second_daemon_is_refused_and_says_who_is_there_and_commands_are_not(
    installation: Installation,
) -> None:
    running = installation.start()
    installation.wait_for(installation.snapshots, running)
    program = installation.program
    refused = program("--config", installation.configuration, "daemon", "run", code=LOCKED)
    assert f"process {running.pid}" in refused.message
    by_hand = program(
        "--config",
        installation.configuration,
        "backup",
        "--source",
        installation.source,
        "--store",
        "local",
        "--json",
    )
    assert by_hand.json["status"] == "stored"
    assert (
        program("--config", installation.configuration, "daemon", "status", "--json").json["pid"]
        == running.pid
    )
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0
    stopped = program("--config", installation.configuration, "daemon", "status", "--json", code=3)
    assert stopped.json["status"] == "stopped"


@posix
def test_a_new_configuration_is_taken_and_a_bad_one_changes_nothing(
    installation: Installation,
) -> None:
    installation.configure(NEVER_SOON)
    running = installation.start()
    # Nothing was ever backed up, so the first one is taken at once.
    installation.wait_for(lambda: len(installation.snapshots()) == 1, running)

    installation.configure("every 1s", more="[no_such_section]\n")
    running.send_signal(signal.SIGHUP)
    installation.wait_for(lambda: installation.lines("configuration.refused"), running)
    [refused] = installation.lines("configuration.refused")
    assert "no_such_section" in refused["problem"]
    time.sleep(1.5)
    assert len(installation.snapshots()) == 1

    installation.configure("every 1s")
    running.send_signal(signal.SIGHUP)
    installation.wait_for(lambda: len(installation.snapshots()) >= 2, running)
    assert installation.lines("configuration.reloaded")
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0
    assert installation.events() == [
        "started",
        "configuration_refused",
        "configuration_reloaded",
        "stopped",
    ]


@posix
def test_what_takes_a_restart_is_said_to(installation: Installation) -> None:
    installation.configure(NEVER_SOON)
    running = installation.start()
    head = HEAD.replace("data/journal.db", "data/other.db")
    installation.configure(NEVER_SOON, head=head.replace('listen = ""', 'listen = "127.0.0.1:0"'))
    running.send_signal(signal.SIGHUP)
    installation.wait_for(lambda: installation.lines("daemon.configuration_reloaded"), running)
    [told] = installation.lines("configuration.needs_restart")
    assert told["keys"] == ["journal.url", "status.listen"]
    [reloaded] = installation.lines("daemon.configuration_reloaded")
    assert reloaded["needs_restart"] == told["keys"]
    installation.configure(NEVER_SOON)
    running.send_signal(signal.SIGHUP)
    installation.wait_for(
        lambda: len(installation.lines("daemon.configuration_reloaded")) == 2, running
    )
    assert len(installation.lines("configuration.needs_restart")) == 1
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0


@posix
def test_a_backup_taken_by_hand_is_not_taken_again_at_the_start(
    installation: Installation,
) -> None:
    installation.configure(NEVER_SOON)
    installation.program(
        "--config",
        installation.configuration,
        "backup",
        "--source",
        installation.source,
        "--store",
        "local",
    )
    running = installation.start()
    time.sleep(1)
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0
    assert len(installation.snapshots()) == 1


@posix
def test_a_database_that_is_gone_stops_neither_the_daemon_nor_the_other_one(
    installation: Installation,
) -> None:
    gone = '[[databases]]\nname = "gone"\npath = "data/gone.db"\nschedule = "every 1s"\n'
    installation.configure(more=gone)
    running = installation.start()
    installation.wait_for(lambda: len(installation.snapshots()) >= 2, running)
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0
    assert "job_failed" in installation.events()
    failed = installation.lines("daemon.job_failed")[0]
    assert failed["subject"] == "backup of gone in local"
    assert "not found" in failed["message"]


@posix
def test_a_store_that_can_not_be_used_stops_no_other_store(installation: Installation) -> None:
    blocked = installation.folder / "data" / "blocked"
    blocked.write_text("a file is in the way", encoding="utf-8")
    head = HEAD + '[stores.blocked]\nurl = "data/blocked"\nlayout = "file"\n'
    installation.configure(head=head)
    running = installation.start()
    installation.wait_for(lambda: len(installation.snapshots()) >= 2, running)
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0
    failed = installation.lines("job.failed")
    assert {line["configured_store"] for line in failed} == {"blocked"}
    done = installation.lines("job.done")
    assert {line["configured_store"] for line in done} == {"local"}


@posix
def test_a_drill_proves_what_was_stored_and_snapshots_says_when(
    installation: Installation,
) -> None:
    head = HEAD.replace('[drill]\nschedule = ""', '[drill]\nschedule = "every 1s"')
    installation.configure(head=head)
    running = installation.start()
    installation.wait_for(
        lambda: [line for line in installation.lines("job.done") if line["job"] == "drill"], running
    )
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0
    listed = installation.program(
        "--journal", installation.journal, "snapshots", installation.store, "--json"
    ).json["snapshots"]
    assert any(each["proven"] for each in listed)


def test_without_anything_to_do_it_says_so(installation: Installation) -> None:
    installation.configuration.write_text("[retention]\nkeep_last = 3\n", encoding="utf-8")
    for command in (["daemon", "run"], ["daemon"]):
        said = installation.program("--config", installation.configuration, *command, code=2)
        assert "Nothing is configured to run" in said.message


@posix
def test_a_watching_service_is_pinged_and_its_address_is_nowhere_to_be_read(
    installation: Installation,
) -> None:
    listener, secret = Listener(), "s3cr3t-t0ken"
    try:
        address = f"http://{listener.address}/{secret}"
        (installation.folder / "ping.url").write_text(address, encoding="utf-8")
        installation.configure(NEVER_SOON, more='[notify]\nping_url_file = "ping.url"\n')
        running = installation.start()
        installation.wait_for(lambda: len(listener.heard) >= 2, running)
        running.send_signal(signal.SIGTERM)
        said = "".join(running.communicate(timeout=30))
    finally:
        listener.close()
    assert [path for path, _ in listener.heard] == [f"/{secret}/start", f"/{secret}"]
    written = [path for path in installation.folder.rglob("*") if path.is_file()]
    assert secret not in said
    assert [p.name for p in written if secret.encode() in p.read_bytes()] == ["ping.url"]


def failed_once_more(installation: Installation) -> None:
    """Run a daemon until its backup has failed."""
    before = len(installation.lines("daemon.job_failed"))
    running = installation.start()
    installation.wait_for(lambda: len(installation.lines("daemon.job_failed")) > before, running)
    running.send_signal(signal.SIGTERM)
    assert ended(running) == 0


@posix
def test_a_message_that_nobody_took_is_sent_after_a_restart_and_not_told_anew(
    installation: Installation,
) -> None:
    pytest.importorskip("apprise")
    listener = Listener()
    try:
        (installation.folder / "urls").write_text(f"json://{listener.address}/", encoding="utf-8")
        installation.configure(NEVER_SOON, more='[notify]\nurls_file = "urls"\n')
        installation.source.write_bytes(b"no database at all")
        listener.status = 500
        for _ in range(2):
            failed_once_more(installation)
            assert len(read_note(installation.journal).unsent) == 1
        listener.status, refused = 200, len(listener.heard)
        running = installation.start()
        installation.wait_for(lambda: len(listener.heard) > refused, running)
        running.send_signal(signal.SIGTERM)
        assert ended(running) == 0
    finally:
        listener.close()
    assert b"backup of junmai in local failed" in listener.heard[-1][1]
    assert read_note(installation.journal).unsent == []
