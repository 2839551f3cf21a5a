"""Takes the pieces of a run one by one, the longest first, each where no other worker has it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from bench.execution.schedule import Step
from bench.execution.sharing import CLASSIFIERS, Sharing
from bench.files.leases import ASK_AGAIN_S
from bench.plan.keys import content_hash
from bench.plan.shards import Piece, Turns, queue
from bench.plan.work import Item
from bench.results.names import classifier_name

TURNS = "turns"


def pulled(sharing: Sharing, turns: Turns, steps: Sequence[Step], items: Sequence[Item]) -> Iterator[Step]:
    """The steps that this worker takes, until every piece is done by one of the workers.

    A piece is done when the caller asks for the next one. A worker that waits at the end takes over what others leave
    behind when they die; a row that failed is a piece done.
    """
    step_of = {(step.task.data.name, step.recipe.id, step.seed): step for step in steps}
    waiting = {_name(piece): piece for piece in queue(items, turns.count)}
    while waiting:
        done = set(sharing.store.names(f"{TURNS}/{turns.token}"))
        waiting = {name: piece for name, piece in waiting.items() if name not in done}
        trained = {name.rpartition("-")[0] for name in sharing.store.names(CLASSIFIERS)}
        taken = False
        for name, piece in waiting.items():
            if not (piece.first or classifier_name(*piece.classifier) in trained or _first_is_done(piece, waiting)):
                continue
            lease = sharing.worker.try_lease(f"{turns.token}.{name}", "")
            if lease is None:
                continue
            try:
                if sharing.store.get(f"{TURNS}/{turns.token}/{name}") is None:
                    yield replace(step_of[piece.classifier], engines=piece.engines)
                    sharing.store.put(f"{TURNS}/{turns.token}/{name}", b"done", durable=False)
            finally:
                sharing.worker.release(lease)
            taken = True
            break
        if waiting and not taken:
            time.sleep(ASK_AGAIN_S)


def done_pieces(sharing: Sharing, turns: Turns, items: Sequence[Item]) -> tuple[int, int]:
    """How many pieces of this launch are done, and how many there are."""
    return len(sharing.store.names(f"{TURNS}/{turns.token}")), len(queue(items, turns.count)) if items else 0


def _first_is_done(piece: Piece, waiting: dict[str, Piece]) -> bool:
    """Whether its training is over, well or not: nobody is left to do it."""
    return not any(other.first and other.classifier == piece.classifier for other in waiting.values())


def _name(piece: Piece) -> str:
    return content_hash([piece.classifier, sorted(piece.engines), piece.first])[:24]
