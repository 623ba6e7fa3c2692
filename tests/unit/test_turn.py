"""Turns: one thread at a time, who waits longest is next, and nobody who gives up is in the way."""

import threading
import time

from data.turn import Turn


class Crowd:
    """Threads that wait for a turn one after the other, and write down when they had it."""

    def __init__(self, turn: Turn) -> None:
        self.turn, self.had, self.threads = turn, list[str](), list[threading.Thread]()

    def wait(self, name: str, *, first: bool = False) -> None:
        def live() -> None:
            assert self.turn.acquire(first=first)
            self.had.append(name)
            self.turn.release()

        before = len(self.turn._waiting)
        self.threads.append(threading.Thread(target=live))
        self.threads[-1].start()
        while len(self.turn._waiting) == before:
            time.sleep(0.001)

    def end(self) -> list[str]:
        for thread in self.threads:
            thread.join(timeout=10)
            assert not thread.is_alive()
        return self.had


def test_who_waits_longest_is_next_but_for_who_goes_first() -> None:
    turn = Turn()
    crowd = Crowd(turn)
    assert turn.acquire()
    crowd.wait("a")
    crowd.wait("b")
    crowd.wait("at the door", first=True)
    turn.release()
    assert crowd.end() == ["at the door", "a", "b"]


def test_who_comes_again_at_once_waits_for_the_others() -> None:
    turn = Turn()
    crowd = Crowd(turn)
    assert turn.acquire()
    crowd.wait("a")
    turn.release()
    assert turn.acquire(timeout_seconds=10)
    assert crowd.had == ["a"]
    turn.release()
    crowd.end()


def test_the_thread_that_has_it_may_take_it_again() -> None:
    turn = Turn()
    crowd = Crowd(turn)
    assert turn.acquire()
    assert turn.acquire()
    crowd.wait("a")
    turn.release()
    assert crowd.had == []
    turn.release()
    assert crowd.end() == ["a"]


def test_who_gives_up_is_passed_over() -> None:
    turn, had = Turn(), list[bool]()
    crowd = Crowd(turn)
    assert turn.acquire()
    gone = threading.Thread(target=lambda: had.append(turn.acquire(timeout_seconds=0.01)))
    gone.start()
    gone.join(timeout=10)
    crowd.wait("a")
    turn.release()
    assert crowd.end() == ["a"]
    assert had == [False]
    assert turn.acquire(timeout_seconds=0)
    turn.release()


def test_one_thread_at_a_time() -> None:
    turn, inside, most = Turn(), 0, 0

    def live() -> None:
        nonlocal inside, most
        for _ in range(200):
            assert turn.acquire()
            inside += 1
            most = max(most, inside)
            inside -= 1
            turn.release()

    threads = [threading.Thread(target=live) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert most == 1
