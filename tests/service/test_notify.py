"""Claims about messages: they arrive over real HTTP, hold nothing secret, and delay nobody."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.harness.listener import Listener

from junmai_svc.service.logs import configured
from junmai_svc.service.notify import messenger as messages
from junmai_svc.service.notify import sending as notify
from junmai_svc.service.notify.beside import send_beside
from junmai_svc.service.notify.messenger import Messenger
from junmai_svc.service.notify.sending import Addresses, ping, read_addresses, send, try_out
from junmai_svc.storage.errors import NotFoundError, StorageUnavailableError, UsageError

SECRET = "s3cr3t-t0ken"  # noqa: S105  # the point of the test


def wait_for(seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def listener() -> Iterator[Listener]:
    started = Listener()
    yield started
    started.close()


@pytest.mark.parametrize(
    ("kind", "path"), [("success", ""), ("start", "/start"), ("fail", "/fail")]
)
def test_a_ping_is_what_healthchecks_wants(
    listener: Listener, kind: notify.Ping, path: str
) -> None:
    ping(f"http://{listener.address}/{SECRET}", kind)
    assert [where for where, _ in listener.heard] == [f"/{SECRET}{path}"]


@pytest.mark.parametrize("status", [301, 404, 500])
def test_a_ping_that_is_not_taken_is_told_without_its_address(
    listener: Listener, status: int
) -> None:
    listener.status = status
    listener.location = f"http://{listener.address}/elsewhere"
    with pytest.raises(StorageUnavailableError) as caught:
        ping(f"http://{listener.address}/{SECRET}", "success")
    assert SECRET not in f"{caught.value.message}{caught.value.hint}"
    assert str(status) in caught.value.message
    assert len(listener.heard) == 1  # a redirection is not followed


def test_a_ping_that_nobody_answers_is_told_without_its_address() -> None:
    with pytest.raises(StorageUnavailableError) as caught:
        ping(f"http://127.0.0.1:1/{SECRET}", "success")
    assert SECRET not in caught.value.message


@pytest.mark.parametrize("address", [f"file:///etc/{SECRET}", f"ftp://h/{SECRET}", SECRET])
def test_only_http_is_pinged(tmp_path: Path, address: str) -> None:
    file = tmp_path / "ping.url"
    file.write_text(address, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_addresses(None, file, {})
    assert SECRET not in f"{caught.value.message}{caught.value.hint}"


def test_addresses_come_out_of_files_and_are_never_shown(tmp_path: Path) -> None:
    urls, one = tmp_path / "urls", tmp_path / "ping.url"
    urls.write_text(f"# mine\n\njson://host/{SECRET}\n  mailto://me \n", encoding="utf-8")
    one.write_text(f"https://hc/{SECRET}/\n", encoding="utf-8")
    found = read_addresses(urls, one, {})
    assert found.urls == (f"json://host/{SECRET}", "mailto://me")
    assert found.ping == f"https://hc/{SECRET}"
    assert SECRET not in f"{found!r} {found}"


def test_variables_come_over_the_files(tmp_path: Path) -> None:
    file = tmp_path / "ping.url"
    file.write_text("https://file/x", encoding="utf-8")
    found = read_addresses(None, file, {"JUNMAI_NOTIFY_PING_URL": "https://variable/x"})
    assert found.ping == "https://variable/x"


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_addresses(tmp_path / "missing", None, {})


# Of the standard library, about a module that Apprise still asks for.
of_apprise = pytest.mark.filterwarnings("ignore:'imghdr':DeprecationWarning")


@of_apprise
def test_a_message_arrives_through_apprise(listener: Listener) -> None:
    pytest.importorskip("apprise")
    send((f"json://{listener.address}/",), "the title", "the text")
    [(_, body)] = listener.heard
    assert b"the title" in body
    assert b"the text" in body


@of_apprise
def test_an_address_of_no_known_kind_is_told_by_its_number() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(UsageError) as caught:
        send((f"nonsense://{SECRET}",), "title", "text")
    assert "Address 1" in caught.value.message
    assert SECRET not in caught.value.message


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(UsageError) as caught:
        send(("json://host/",), "title", "text")
    assert "junmai-svc[notify]" in caught.value.hint


def test_trying_it_out_needs_somebody_to_tell() -> None:
    with pytest.raises(UsageError, match="Nobody is to be told"):
        try_out(Addresses())


def test_messages_are_sent_from_beside_and_what_fails_is_logged_without_its_address(
    listener: Listener, tmp_path: Path
) -> None:
    listener.status = 500
    with configured("info", tmp_path / "log"):
        messenger = Messenger(Addresses(ping=f"http://{listener.address}/{SECRET}"))
        messenger.ping("success")
        messenger.close(5)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert "message.failed" in log
    assert SECRET not in log
    assert len(listener.heard) == 1


def test_an_address_that_does_not_answer_delays_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import socket

    monkeypatch.setattr(notify, "TIMEOUT_SECONDS", 0.2)
    with socket.socket() as silent, configured("info", tmp_path / "log"):
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        messenger = Messenger(Addresses(ping=f"http://127.0.0.1:{port}/"))
        begun = time.monotonic()
        for _ in range(messages.WAITING_MOST + 10):
            messenger.ping("success")
        assert time.monotonic() - begun < 0.2
        messenger.close(0.1)
    assert "message.dropped" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_message_that_can_not_be_delivered_is_kept_and_sent_when_it_can(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[str] = []
    down = threading.Event()
    down.set()

    def send_or_not(_urls: object, title: str, _text: str) -> None:
        if down.is_set():
            raise StorageUnavailableError("A notification was not taken by every address")
        heard.append(title)

    monkeypatch.setattr(messages, "send_beside", send_or_not)
    monkeypatch.setattr(messages, "FIRST_RETRY_SECONDS", 0.05)
    messenger = Messenger(Addresses(("json://host/",), f"http://{listener.address}/"))
    messenger.tell("one", "text")
    messenger.tell("two", "text")
    wait_for(messenger.undelivered)
    found = messenger.undelivered()
    assert found is not None
    assert "not taken" in found.problem
    assert messenger.unsent() == [("one", "text"), ("two", "text")]
    messenger.ping("success")  # waits for no message
    wait_for(lambda: listener.heard)
    down.clear()
    wait_for(lambda: not messenger.unsent())
    assert heard == ["one", "two"]
    assert messenger.undelivered() is None
    messenger.close(1)


def test_what_was_not_delivered_before_a_restart_is_sent_after_it_and_by_new_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[tuple[object, str]] = []

    def only_the_new(urls: object, title: str, _text: str) -> None:
        if urls == ("json://old/",):
            raise UsageError("Address 1 is of no kind that Apprise knows")
        heard.append((urls, title))

    monkeypatch.setattr(messages, "send_beside", only_the_new)
    messenger = Messenger(Addresses(("json://old/",)), [("one", "text")])
    wait_for(messenger.undelivered)
    messenger.replace(Addresses(("json://new/",)))
    wait_for(lambda: not messenger.unsent())
    assert heard == [(("json://new/",), "one")]
    messenger.close(1)


def test_so_many_messages_are_kept_and_the_oldest_goes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(*_: object) -> None:
        raise StorageUnavailableError("no")

    monkeypatch.setattr(messages, "send_beside", refuse)
    with configured("info", tmp_path / "log"):
        messenger = Messenger(Addresses(("json://host/",)))
        for number in range(messages.WAITING_MOST + 1):
            messenger.tell(str(number), "text")
        kept = messenger.unsent()
        messenger.close(1)
    assert (len(kept), kept[0][0]) == (messages.WAITING_MOST, "1")
    assert "message.dropped" in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_message_of_the_daemon_is_sent_by_a_process_of_its_own(listener: Listener) -> None:
    pytest.importorskip("apprise")
    messenger = Messenger(Addresses((f"json://{listener.address}/",)))
    messenger.tell("the title", "the text")
    messenger.close(30)
    [(_, body)] = listener.heard
    assert b"the title" in body


def test_what_goes_wrong_there_comes_back_without_the_address() -> None:
    pytest.importorskip("apprise")
    with pytest.raises(UsageError) as caught:
        send_beside((f"nonsense://{SECRET}",), "title", "text")
    assert "Address 1" in caught.value.message


def test_where_nobody_is_to_be_told_there_is_no_thread() -> None:
    before = threading.active_count()
    messenger = Messenger(Addresses())
    messenger.tell("title", "text")
    messenger.ping("fail")
    assert threading.active_count() == before
    messenger.close(1)
