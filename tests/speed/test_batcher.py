"""The dynamic batcher: who is computed with whom, in what order, and what becomes of a request nobody can answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.speed.batcher import BatchBudget, Batcher, GiveUp
from bench.types import SessionInfo, StageClock


class Recorder:
    """A session that remembers its calls and who made them, and takes a set time for each."""

    def __init__(self, call_s: float = 0.0, concurrency: int | None = None, fails: bool = False) -> None:
        self.clock = StageClock()
        self.info = SessionInfo(load_s=0.0, concurrency=concurrency)
        self.calls: list[Sequence[str]] = []
        self.threads: set[int] = set()
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()
        self._call_s, self._fails = call_s, fails

    def predict(self, texts: Sequence[str]) -> Any:
        with self._lock:
            self.calls.append(tuple(texts))
            self.threads.add(threading.get_ident())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        time.sleep(self._call_s)
        with self._lock:
            self.at_once -= 1
        if self._fails:
            raise ValueError("the engine broke")


def served(session: Recorder, budget: BatchBudget, tokens: Sequence[int], give_up_s: float = 60.0) -> tuple[Any, list]:
    """All requests waiting before the engine is free, then served to the end."""
    completed: list[int] = []
    batcher = Batcher(session, budget, completed.extend, GiveUp(give_up_s))  # type: ignore[arg-type]
    for number, count in enumerate(tokens):
        batcher.put(number, f"text {number}", count)
    batcher.close()
    batcher.serve()
    return batcher, completed


def test_batches_keep_to_both_budgets() -> None:
    session = Recorder()
    tokens = [10, 10, 30, 5, 5, 5, 5, 5, 200, 5]
    batcher, completed = served(session, BatchBudget(tokens=60, texts=4), tokens)
    assert sorted(completed) == list(range(10))
    assert [[int(text.split()[1]) for text in call] for call in session.calls] == [
        [0, 1, 3, 4],
        [2, 5],
        [6, 7, 9],
        [8],
    ]
    assert batcher.record.batches == [len(call) for call in session.calls]
    assert len(batcher.record.waits_ns) == 10


def test_equal_lengths_are_computed_in_the_order_they_came_in() -> None:
    session = Recorder()
    _, completed = served(session, BatchBudget(tokens=40, texts=64), [10] * 10)
    assert completed == list(range(10))
    assert [len(call) for call in session.calls] == [4, 4, 2]


@given(st.lists(st.integers(1, 300), min_size=1, max_size=400), st.integers(20, 2000), st.integers(1, 70))
def test_the_first_to_come_always_goes_and_nobody_is_lost(tokens: list[int], most: int, texts: int) -> None:
    session = Recorder()
    _, completed = served(session, BatchBudget(most, texts), tokens)
    assert sorted(completed) == list(range(len(tokens)))
    left = list(range(len(tokens)))
    for call in session.calls:
        batch = [int(text.split()[1]) for text in call]
        assert left[0] in batch
        assert len(batch) <= texts
        assert len(batch) == 1 or len(batch) * max(tokens[row] for row in batch) <= most
        assert batch == sorted(batch)
        left = [row for row in left if row not in set(batch)]


def test_texts_of_like_length_meet_when_many_wait() -> None:
    tokens = [int(length) for length in np.random.default_rng(0).normal(53, 20, 800).clip(10, 256)]
    session = Recorder()
    served(session, BatchBudget(1024, 64), tokens)
    batches = [[tokens[int(text.split()[1])] for text in call] for call in session.calls]
    assert sum(tokens) / sum(len(batch) * max(batch) for batch in batches) > 0.88


def test_the_engine_computes_on_the_thread_that_serves() -> None:
    session = Recorder()
    served(session, BatchBudget(60, 4), [1] * 5)
    assert session.threads == {threading.get_ident()}


def test_a_free_engine_waits_for_company_only_as_long_as_it_was_told() -> None:
    for wait_s, batches in ((0.0, 2), (5.0, 1)):
        session = Recorder()
        batcher = Batcher(session, BatchBudget(1000, 2, wait_s), lambda _: None, GiveUp(60.0))  # type: ignore[arg-type]

        def issue(batcher: Batcher = batcher) -> None:
            batcher.put(0, "first", 1)
            time.sleep(0.1)
            batcher.put(1, "second", 1)
            batcher.close()

        thread = threading.Thread(target=issue)
        thread.start()
        batcher.serve()
        thread.join()
        assert len(session.calls) == batches


def test_an_engine_with_a_scheduler_gets_many_requests_at_once() -> None:
    session = Recorder(call_s=0.02, concurrency=8)
    batcher, completed = served(session, BatchBudget(1000, 64), [1] * 40)
    assert sorted(completed) == list(range(40))
    assert all(len(call) == 1 for call in session.calls)
    assert 1 < session.most_at_once <= 8
    assert sum(batcher.record.batches) == 40


def test_a_broken_engine_leaves_no_request_hanging() -> None:
    session = Recorder(fails=True)
    batcher, completed = served(session, BatchBudget(1000, 2), [1] * 7)
    assert sorted(completed) == list(range(7))
    assert isinstance(batcher.error, ValueError)
    assert len(session.calls) == 1


def test_requests_that_waited_too_long_are_given_up() -> None:
    session = Recorder(call_s=0.05)
    batcher, completed = served(session, BatchBudget(1000, 1), [1] * 20, give_up_s=0.2)
    assert sorted(completed) == list(range(20))
    assert batcher.saturated
    assert 1 <= len(session.calls) < 20


def test_a_run_with_too_many_late_answers_ends() -> None:
    session = Recorder(call_s=0.02)
    completed: list[int] = []
    give_up = GiveUp(60.0, late_s=0.05, most_late=3)
    batcher = Batcher(session, BatchBudget(1000, 1), completed.extend, give_up)  # type: ignore[arg-type]
    for number in range(20):
        batcher.put(number, f"text {number}", 1)
    batcher.close()
    batcher.serve()
    assert batcher.lost
    assert not batcher.saturated
    assert batcher.record.late == 4
    assert len(session.calls) == len(batcher.record.latencies_ns) < 20
    assert completed == list(range(20)), "each once, those left unanswered last"
    assert all(
        latency_ns >= wait_ns
        for latency_ns, wait_ns in zip(batcher.record.latencies_ns, batcher.record.waits_ns, strict=True)
    )


@pytest.mark.parametrize("concurrency", [None, 3])
def test_the_requests_of_a_lost_run_stay_outstanding_to_its_end(concurrency: int | None) -> None:
    session = Recorder(concurrency=concurrency)
    completed: list[int] = []
    batcher = Batcher(session, BatchBudget(1000, 1), completed.extend, GiveUp(60.0, late_s=-1.0))  # type: ignore[arg-type]
    serving = threading.Thread(target=batcher.serve)
    serving.start()
    batcher.put(0, "late", 1)
    while not batcher.lost or not completed:
        time.sleep(0.001)
    batcher.put(1, "nobody answers it", 1)
    batcher.put(2, "nor this", 1)
    time.sleep(0.05)
    assert completed == [0]
    batcher.close()
    serving.join()
    assert sorted(completed) == [0, 1, 2]


@pytest.mark.parametrize("call_s", [0.0, 0.03])
def test_waits_are_what_requests_spent_in_the_queue(call_s: float) -> None:
    batcher, _ = served(Recorder(call_s=call_s), BatchBudget(1000, 1), [1] * 5)
    waits_s = np.asarray(batcher.record.waits_ns) / 1e9
    assert (np.diff(waits_s) >= call_s).all()
    assert batcher.record.busy_s >= 5 * call_s
