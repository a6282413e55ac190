"""Claims about what is seen of a running daemon from outside."""

import json
import signal
import socket
import sys
import urllib.error
import urllib.request

import pytest
from tests.daemon.installation import HEAD, NEVER_SOON, Installation

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signals")


def asked(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  # our own server
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_a_running_daemon_shows_how_each_database_stands(installation: Installation) -> None:
    head = HEAD.replace('listen = ""', 'listen = "127.0.0.1:0"')
    installation.configure(NEVER_SOON, head=head)
    running = installation.start()
    installation.wait_for(lambda: installation.lines("job.done"), running)
    [ready] = installation.lines("page.ready")
    url = ready["url"]
    # Well from the first question on, whoever asks how seldom.
    assert asked(f"{url}healthz") == (200, "ok\n")

    def status() -> dict[str, object]:
        found = json.loads(asked(f"{url}status.json")[1])
        assert isinstance(found, dict)
        return found

    installation.wait_for(lambda: '"snapshots":1' in json.dumps(status(), separators=(",", ":")))
    assert status()["status"] == "ok"
    assert asked(f"{url}healthz") == (200, "ok\n")
    assert 'junmai_snapshot_last_good_age_seconds{database="junmai"' in asked(f"{url}metrics")[1]
    assert "junmai" in asked(url)[1]
    [backup] = [run["run"] for run in installation.runs() if run["kind"] == "backup"]
    assert asked(f"{url}runs/{backup}")[0] == 200
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_a_failing_backup_makes_it_unhealthy(installation: Installation) -> None:
    installation.source.write_bytes(b"no database at all")
    head = HEAD.replace('listen = ""', 'listen = "127.0.0.1:0"')
    installation.configure(NEVER_SOON, head=head)
    running = installation.start()
    installation.wait_for(lambda: installation.lines("daemon.job_failed"), running)
    [ready] = installation.lines("page.ready")
    code, said = asked(f"{ready['url']}healthz")
    assert code == 503
    assert "junmai" in said
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)


def test_backups_go_on_where_the_address_is_taken(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f'listen = "127.0.0.1:{taken.getsockname()[1]}"'
        installation.configure(NEVER_SOON, head=HEAD.replace('listen = ""', listen))
        running = installation.start()
        installation.wait_for(installation.snapshots, running)
        assert installation.lines("page.unavailable")
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)
    assert running.returncode == 0
