"""Claims about signals: the first one ends the run, but never breaks what must be whole."""

import signal
import threading

import pytest

from junmai_svc.service.signals import abandonable, ignore_from_here, interruptible, unbroken
from junmai_svc.storage import interruption
from junmai_svc.storage.errors import InterruptedRunError

ASKED = (signal.SIGINT, signal.SIGTERM)


@pytest.mark.parametrize("signum", ASKED)
def test_a_signal_is_told_by_its_number(signum: signal.Signals) -> None:
    with pytest.raises(InterruptedRunError) as caught, interruptible():
        signal.raise_signal(signum)
    assert caught.value.signum == signum


def cleaning_up(done: list[str]) -> None:
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGINT)
        done.append("cleaned")


def test_a_second_signal_does_not_tear_the_cleaning_up() -> None:
    done: list[str] = []
    with pytest.raises(InterruptedRunError), interruptible():
        cleaning_up(done)
    assert done == ["cleaned"]


def being_whole(done: list[str]) -> None:
    with unbroken():
        with unbroken():
            signal.raise_signal(signal.SIGTERM)
            done.append("inner")
        done.append("outer")
    done.append("after")


def test_a_signal_waits_for_the_end_of_what_must_be_whole() -> None:
    done: list[str] = []
    with pytest.raises(InterruptedRunError) as caught, interruptible():
        being_whole(done)
    assert done == ["inner", "outer"]
    assert caught.value.signum == signal.SIGTERM


def test_what_came_too_late_in_an_earlier_run_is_in_time_in_the_next() -> None:
    ignore_from_here()  # as a run inside another program does, where nobody handles signals
    with pytest.raises(InterruptedRunError), interruptible():
        signal.raise_signal(signal.SIGTERM)


def failing() -> None:
    signal.raise_signal(signal.SIGINT)
    raise ZeroDivisionError


def test_an_error_meanwhile_is_the_one_that_is_told() -> None:
    with pytest.raises(ZeroDivisionError), interruptible(), unbroken():
        failing()


def test_a_thread_that_gives_up_leaves_the_signal_for_the_others() -> None:
    """As a daemon's job does, whose other jobs have to end as well."""

    def give_up() -> None:
        with abandonable():
            raise InterruptedRunError(signal.SIGTERM)

    interruption.remember(signal.SIGTERM)
    try:
        thread = threading.Thread(target=give_up)
        thread.start()
        thread.join()
        assert interruption.received() == signal.SIGTERM
    finally:
        interruption.remember(None)


def test_without_a_signal_nothing_is_raised() -> None:
    with interruptible(), unbroken():
        pass


def test_at_the_very_end_a_signal_comes_too_late() -> None:
    with interruptible():
        ignore_from_here()
        signal.raise_signal(signal.SIGINT)
        with unbroken():
            signal.raise_signal(signal.SIGTERM)
        assert interruption.received() is None


def test_the_next_run_can_be_stopped_again_and_the_old_handlers_are_back() -> None:
    before = [signal.getsignal(signum) for signum in ASKED]
    with interruptible():
        ignore_from_here()
    assert [signal.getsignal(signum) for signum in ASKED] == before
    with pytest.raises(InterruptedRunError), interruptible():
        signal.raise_signal(signal.SIGTERM)
    assert interruption.received() is None
