"""Runs a plan by a crew of workers that share a store: starts them, shows how far they are, gathers their results."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.errors import StoreError
from bench.execution.console import RunConsole
from bench.execution.crew import Crew
from bench.execution.gathering import Gathering
from bench.execution.progress import Progress, progress_of
from bench.execution.pulling import done_pieces
from bench.execution.run_folder import only_run
from bench.execution.schedule import Budget
from bench.execution.sharded import identity_of
from bench.execution.sharing import SHARDS, STORE, Sharing
from bench.execution.worker import Order
from bench.files.leases import Worker
from bench.files.objects import URL_MARK, open_store
from bench.plan.plan import Plan
from bench.plan.request import RunRequest
from bench.plan.shards import Turns
from bench.results.records import Result

ASK_S = 1.0
SHOW_S = 5.0
PAGE_S = 20.0


@dataclass
class Launch:
    """A run by a crew. `store`: a root that every worker reaches; page: writes the leaderboard of what is there."""

    request: RunRequest
    crew: Crew
    store: str | None
    page: Callable[[], object]
    with_classifiers: bool = False
    _said: list[str] = field(default_factory=list)

    def run(self, plan: Plan, console: RunConsole) -> tuple[Result, ...]:
        """Bring every cell to a result, by the crew; results in the plan's order.

        Raises StoreError when the crew ended and left something; what is done stays in the store.
        """
        plan = replace(plan, out=plan.out.absolute())
        root = self.store or str(plan.out / STORE)
        if URL_MARK not in root:
            root = str(Path(root).absolute())
        store = open_store(root)
        turns = Turns(secrets.token_hex(6), self.crew.size, "launch")
        sharing = Sharing(store, Worker(store, "launch"), turns, self.with_classifiers)
        gathering = Gathering(plan, sharing, Budget(plan.budget_s))
        with only_run(plan.out):
            with self._started(self._order(plan, root, turns)):
                self._watch(gathering, turns, console)
            gathering.update()
        if gathering.missing:
            raise StoreError(self._why_incomplete(gathering.missing))
        return tuple(gathering.results)

    def _order(self, plan: Plan, root: str, turns: Turns) -> Order:
        request = self.request.model_copy(update={"out": plan.out, "device": plan.device, "models": plan.models})
        here = identity_of(plan)
        driver = {name: here[name] for name in ("packages", "code")}
        return Order(
            request=request,
            store=root,
            out=plan.out / SHARDS,
            token=turns.token,
            count=turns.count,
            name="",
            cwd=str(Path.cwd()),
            driver=driver,
        )

    @contextmanager
    def _started(self, order: Order) -> Iterator[None]:
        """However the block ends, Ctrl-C included, no worker goes on."""
        try:
            self.crew.start(order)
            yield
        finally:
            self.crew.stop()

    def _watch(self, gathering: Gathering, turns: Turns, console: RunConsole) -> None:
        """Until every piece is done, or nobody is left to do one."""
        if self.crew.note:
            console.line(self.crew.note)
        console.line(f"{self.crew.size} workers; their lines: {gathering.plan.out / SHARDS}/*.log")
        shown_at = paged_at = time.monotonic()
        said, seen = "", 0
        while True:
            ended = self.crew.ended()
            self._said += ended
            for sentence in ended:
                console.line(sentence)
            if not self.crew.alive() or _all_done(gathering, turns):
                return
            if time.monotonic() - shown_at > SHOW_S and (found := _progress(gathering.sharing)):
                shown_at = time.monotonic()
                said = _show(console, found, said)
                if found.settled > seen and shown_at - paged_at > PAGE_S:
                    seen, paged_at = found.settled, shown_at
                    if gathering.update():
                        self.page()
            time.sleep(ASK_S)

    def _why_incomplete(self, missing: Sequence[str]) -> str:
        named = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
        why = f": {self._said[-1]}" if self._said else ""
        return f"no worker is left and the run is not complete, {named} missing{why}; give the same command again"


def _all_done(gathering: Gathering, turns: Turns) -> bool:
    done, of = done_pieces(gathering.sharing, turns, gathering.items)
    return 0 < of <= done


def _progress(sharing: Sharing) -> Progress | None:
    """None before the first worker has written the plan."""
    try:
        return progress_of(sharing.store)
    except StoreError:
        return None


def _show(console: RunConsole, found: Progress, said: str) -> str:
    """A table on a terminal; elsewhere a line whenever it has changed."""
    from bench.execution.progress_view import progress_table, summary

    console.board(progress_table(found))
    line = summary(found)
    if not console.is_live and line != said:
        console.line(line)
    return line
