"""Batches in front of an engine that does not: of what waits when the engine becomes free, the next batch."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from bench.types import Session

NS_PER_S = 1e9
CHOICE = 128  # waiting requests to choose from: of AG News' texts 64 are then padded by 10 %, as they come by 16 %


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


@dataclass(frozen=True)
class GiveUp:
    """When a run is lost: a request failed, one waited longer than `wait_s`, or too many were late.

    Late is an answer more than `late_s` after its request came; more than `most_late` of them are too many.
    """

    wait_s: float
    late_s: float = math.inf
    most_late: int = 0


@dataclass
class QueueRecord:
    """What happened to the requests that were computed: waits and latencies from arrival in ns, texts of each batch.

    busy_s: seconds in `predict`, summed. late: answers later than the run's limit.
    """

    waits_ns: list[int] = field(default_factory=list)
    latencies_ns: list[int] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    busy_s: float = 0.0
    late: int = 0


class Batcher:
    """Requests come in from any thread (`put`, `close`); `serve` computes them on the thread that calls it.

    The engine thus computes on the thread that loaded it, whatever thread the load generator issues from. A session
    that schedules requests itself (`info.concurrency`) gets every text alone, that many at once.

    Once the run is lost (`give_up`) `lost` is set, and `saturated` where a request waited too long. Everything that is
    left or still comes is completed unanswered, after the last arrival: a load generator that counts outstanding
    requests then ends the run. The same follows an error of the session, kept in `error`.
    """

    def __init__(
        self, session: Session, budget: BatchBudget, complete: Callable[[list[int]], None], give_up: GiveUp
    ) -> None:
        self.record = QueueRecord()
        self.error: BaseException | None = None
        self.saturated = self.lost = False
        self._session = session
        self._budget = budget
        self._complete = complete
        self._give_up = give_up
        self._arrivals: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._waiting: deque[Request] = deque()
        self._unanswered: list[int] = []
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
        else:
            with ThreadPoolExecutor(concurrency) as pool:
                while self._receive():
                    pool.submit(self._answer, [self._waiting.popleft()])
        self._complete(self._unanswered)

    def _next_batch(self) -> list[Request]:
        """The longest-waiting request and others that fit the budget with it; none when closed and empty."""
        if not self._receive():
            return []
        deadline = self._waiting[0].arrived_ns + self._budget.wait_s * NS_PER_S
        while not self._is_full() and not self._closed and (left_ns := deadline - time.perf_counter_ns()) > 0:
            self._take(left_ns / NS_PER_S)
        return self._chosen()

    def _chosen(self) -> list[Request]:
        """Where not all fit, those of the length nearest to the first one's: it always goes, so none waits for ever."""
        choice = [self._waiting.popleft() for _ in range(min(CHOICE, len(self._waiting)))]
        order = sorted(range(len(choice)), key=lambda place: abs(choice[place].tokens - choice[0].tokens))
        count = self._fitting([choice[place].tokens for place in order])
        taken = set(order[:count])
        self._waiting.extendleft(choice[place] for place in reversed(range(len(choice))) if place not in taken)
        return [choice[place] for place in sorted(taken)]

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
        fitting = self._fitting([request.tokens for request in islice(self._waiting, CHOICE)])
        return fitting < len(self._waiting) or fitting >= self._budget.texts

    def _fitting(self, tokens: Sequence[int]) -> int:
        """How many of the first texts, of so many tokens each, make one batch; at least one."""
        longest = 0
        for count, length in enumerate(tokens):
            longest = max(longest, length)
            if count and (count >= self._budget.texts or self._is_over((count + 1) * longest)):
                return count
        return len(tokens)

    def _is_over(self, tokens: int) -> bool:
        return self._budget.tokens is not None and tokens > self._budget.tokens

    def _answer(self, batch: Sequence[Request]) -> None:
        handles = [request.handle for request in batch]
        started_ns = time.perf_counter_ns()
        waits_ns = [started_ns - request.arrived_ns for request in batch]
        if max(waits_ns) > self._give_up.wait_s * NS_PER_S:
            self.saturated = self.lost = True
        if self.lost or self.error is not None:
            with self._writing:
                self._unanswered += handles
            return
        try:
            self._session.predict([request.text for request in batch])
        except BaseException as error:
            self.error = error
        answered_ns = time.perf_counter_ns()
        with self._writing:
            self._note(waits_ns, answered_ns - started_ns)
        self._complete(handles)

    def _note(self, waits_ns: list[int], took_ns: int) -> None:
        record, latencies_ns = self.record, [wait_ns + took_ns for wait_ns in waits_ns]
        record.busy_s += took_ns / NS_PER_S
        record.waits_ns += waits_ns
        record.latencies_ns += latencies_ns
        record.batches.append(len(waits_ns))
        record.late += sum(latency_ns > self._give_up.late_s * NS_PER_S for latency_ns in latencies_ns)
        if record.late > self._give_up.most_late or self._session.clock.turned_away:
            self.lost = True
