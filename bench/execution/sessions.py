"""Opens a classifier in an engine: the one way to a session for runs, gates, the self-test and `bench predict`."""

from __future__ import annotations

from collections.abc import Sequence

from bench.errors import NotAvailable
from bench.plan.engines import backend_of
from bench.types import Classifier, EngineSpec, Session, Workplace


def open_session(classifier: Classifier, engine: EngineSpec, place: Workplace) -> Session:
    """Load a classifier into an engine.

    classifier: a trained folder. engine: backend, precision and options. place: device, threads and cache.
    Raises NotAvailable where the engine cannot hold this classifier.
    """
    return backend_of(engine)(engine, place).load(classifier)


def open_sessions(classifiers: Sequence[Classifier], engine: EngineSpec, place: Workplace) -> list[Session]:
    """Sessions of classifiers that share a base model, which an engine that can keeps in memory once.

    Raises NotAvailable with what would make the engine ready where it cannot run here.
    """
    available = backend_of(engine).availability(engine, place.device)
    if not available.ok:
        raise NotAvailable(f"engine {engine.name} cannot run here: {available.reason}; {available.remedy}")
    return list(backend_of(engine)(engine, place).load_together(classifiers))
