"""Claims about the orderly stop: the first signal asks, the second ends, jobs see it in time."""

import signal
import sys
import threading

import pytest

from junmai_svc.service.daemon.stopping import Stop, Stoppable, listening
from junmai_svc.service.signals import unbroken
from junmai_svc.storage import interruption
from junmai_svc.storage.errors import InterruptedRunError


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_only_asks_and_the_second_one_ends(signum: signal.Signals) -> None:
    stop, ends = Stop(), list[int]()
    with listening(stop, ends.append):
        signal.raise_signal(signum)
        assert (stop.signum, ends) == (signum, [])
        assert interruption.received() == signum
        signal.raise_signal(signal.SIGTERM)
        assert ends == [signal.SIGTERM]
    assert interruption.received() is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")
def test_a_hang_up_asks_for_the_configuration_and_stops_nothing() -> None:
    stop = Stop()
    before = signal.getsignal(signal.SIGHUP)
    with listening(stop):
        signal.raise_signal(signal.SIGHUP)
        assert stop.hung_up
        assert stop.signum is None
    assert signal.getsignal(signal.SIGHUP) == before


def test_a_step_can_not_begin_or_go_on_once_it_is_to_stop() -> None:
    stop = Stop()
    progress = Stoppable(stop)
    with progress.step("x", 2, "steps") as tick:
        assert tick is not None
        tick(1)
        stop.signum = 15
        with pytest.raises(InterruptedRunError):
            tick(1)
    with pytest.raises(InterruptedRunError), progress.step("y", 1, "steps"):
        pass


def test_a_watcher_beside_a_step_is_left_alone() -> None:
    stop, failed = Stop(), list[BaseException]()
    with Stoppable(stop).step("x", 1, "bytes") as tick:
        assert tick is not None
        stop.signum = 15

        def watch() -> None:
            try:
                tick(1)
            except InterruptedRunError as error:
                failed.append(error)

        watcher = threading.Thread(target=watch)
        watcher.start()
        watcher.join()
    assert failed == []


def test_blocks_of_several_threads_that_must_be_whole_do_not_disturb_each_other() -> None:
    """A signal of a command waits for the blocks of its own thread, and of no other one."""
    from junmai_svc.service.signals import interruptible

    inside, go_on = threading.Event(), threading.Event()

    def be_whole() -> None:
        with unbroken():
            inside.set()
            go_on.wait(10)

    other = threading.Thread(target=be_whole)
    other.start()
    inside.wait(10)
    with pytest.raises(InterruptedRunError), interruptible():
        signal.raise_signal(signal.SIGTERM)
    go_on.set()
    other.join()
