"""A dynamic batcher in front of an engine without one: what waits when the engine becomes free is the next batch."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from bench.types import Session

NS_PER_S = 1e9


@dataclass(frozen=True)
class BatchBudget:
    """What a batch may hold, padding counted, and how long a free engine waits for company for a lone request.

    tokens is None where only the number of texts counts.
    """

    tokens: int | None
    texts: int
    wait_s: float = 0.0


@dataclass(frozen=True)
class Request:
    """One text to answer: the caller's handle, the text, its expected tokens, when it came (perf_counter, ns)."""

    handle: int
    text: str
    tokens: int
    arrived_ns: int


@dataclass
class QueueRecord:
    """What happened in the queue: each request's wait in ns, texts of each batch, seconds in `predict`, summed."""

    waits_ns: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    busy_s: float = 0.0


class Batcher:
    """Requests come in from any thread (`put`, `close`); `serve` computes them on the thread that calls it.

    The engine thus computes on the thread that loaded it, whatever thread the load generator issues from. A session
    that schedules requests itself (`info.concurrency`) gets every text alone, that many at once.

    When a request has waited longer than `give_up_s` the load is beyond the engine: `saturated` is set and everything
    that is left or still comes is completed unanswered. The same follows an error of the session, kept in `error`.
    """

    def __init__(
        self, session: Session, budget: BatchBudget, complete: Callable[[list[int]], None], give_up_s: float
    ) -> None:
        self.record = QueueRecord()
        self.error: BaseException | None = None
        self.saturated = False
        self._session = session
        self._budget = budget
        self._complete = complete
        self._give_up_ns = give_up_s * NS_PER_S
        self._arrivals: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._waiting: deque[Request] = deque()
        self._closed = False
        self._writing = threading.Lock()

    @property
    def concurrency(self) -> int:
        """Calls of `predict` at once."""
        return self._session.info.concurrency or 1

    def put(self, handle: int, text: str, tokens: int) -> None:
        """Queue one request; it counts from now."""
        self._arrivals.put(Request(handle, text, tokens, time.perf_counter_ns()))

    def close(self) -> None:
        """No more requests will come; `serve` returns when the queue is empty."""
        self._arrivals.put(None)

    def serve(self) -> None:
        """Answer requests until closed."""
        concurrency = self._session.info.concurrency
        if concurrency is None:
            while batch := self._next_batch():
                self._answer(batch)
            return
        with ThreadPoolExecutor(concurrency) as pool:
            while self._receive():
                pool.submit(self._answer, [self._waiting.popleft()])

    def _next_batch(self) -> list[Request]:
        """The longest-waiting requests that fit the budget; at least one, none when closed and empty."""
        if not self._receive():
            return []
        deadline = self._waiting[0].arrived_ns + self._budget.wait_s * NS_PER_S
        while not self._is_full() and not self._closed and (left_ns := deadline - time.perf_counter_ns()) > 0:
            self._take(left_ns / NS_PER_S)
        count = self._fitting()
        return [self._waiting.popleft() for _ in range(count)]

    def _receive(self) -> bool:
        """Move all arrivals into the queue, waiting for one when it is empty; False when there will be none."""
        while not self._waiting and not self._closed:
            self._take(None)
        while not self._closed and not self._arrivals.empty():
            self._take(None)
        return bool(self._waiting)

    def _take(self, timeout_s: float | None) -> None:
        try:
            request = self._arrivals.get(timeout=timeout_s)
        except queue.Empty:
            return
        if request is None:
            self._closed = True
        else:
            self._waiting.append(request)

    def _is_full(self) -> bool:
        return self._fitting() < len(self._waiting) or len(self._waiting) >= self._budget.texts

    def _fitting(self) -> int:
        longest = 0
        for count, request in enumerate(self._waiting):
            longest = max(longest, request.tokens)
            if count and (count >= self._budget.texts or self._is_over((count + 1) * longest)):
                return count
        return len(self._waiting)

    def _is_over(self, tokens: int) -> bool:
        return self._budget.tokens is not None and tokens > self._budget.tokens

    def _answer(self, batch: Sequence[Request]) -> None:
        started_ns = time.perf_counter_ns()
        waits_ns = [started_ns - request.arrived_ns for request in batch]
        self.saturated = self.saturated or max(waits_ns) > self._give_up_ns
        if self.error is None and not self.saturated:
            try:
                self._session.predict([request.text for request in batch])
            except BaseException as error:
                self.error = error
            with self._writing:
                self.record.busy_s += (time.perf_counter_ns() - started_ns) / NS_PER_S
                self.record.waits_ns += waits_ns
                self.record.batches.append(len(batch))
        self._complete([request.handle for request in batch])
