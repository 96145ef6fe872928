"""Several questions at a time: each is answered, or told, and none is waited for without end."""

from __future__ import annotations

import threading
import time

import pytest

from bakestone.clients.parallel import in_parallel
from bakestone.errors import BakestoneError, fail


def test_each_thing_has_its_answer_or_its_error() -> None:
    def half(number: int) -> int:
        if number % 2:
            raise fail(f"{number} is odd")
        return number // 2

    found = dict(in_parallel(half, range(100)))
    assert {n: a for n, a in found.items() if n % 2 == 0} == {n: n // 2 for n in range(0, 100, 2)}
    assert all(isinstance(found[n], BakestoneError) for n in range(1, 100, 2))


def test_an_error_of_the_program_is_not_taken_for_an_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        dict(in_parallel(lambda n: 1 // n, [1, 0]))


def test_no_more_than_so_many_are_asked_at_a_time() -> None:
    most, running, lock = 0, 0, threading.Lock()

    def ask(_: int) -> None:
        nonlocal most, running
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.001)
        with lock:
            running -= 1

    assert len(list(in_parallel(ask, range(50), 3))) == 50
    assert most <= 3


def test_what_hangs_is_left_when_the_time_is_over() -> None:
    never = threading.Event()

    def ask(name: str) -> str:
        if name == "hangs":
            never.wait(60)
        return name

    found = dict(in_parallel(ask, ["quick", "hangs"], until=time.monotonic() + 1))
    never.set()
    assert found == {"quick": "quick"}


def test_nothing_is_asked_when_the_time_is_over_already() -> None:
    assert list(in_parallel(str, range(9), until=time.monotonic())) == []


def test_nothing_has_no_answers() -> None:
    assert list(in_parallel(str, [])) == []
