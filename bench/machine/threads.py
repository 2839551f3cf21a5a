"""Sets one number of threads for everything that computes: torch, OpenMP, BLAS and the tokenizers."""

from __future__ import annotations

import os
import sys

_ENVIRONMENT = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")


def usable_cores() -> int:
    """Physical cores this process may use; affinity masks and container quotas are counted in."""
    from joblib import cpu_count

    return int(cpu_count(only_physical_cores=True))


def set_threads(threads: int) -> None:
    """Compute with exactly `threads` threads, in libraries loaded already and in those still to come.

    Call it before the first tokenisation: the tokenizers' pool is made once and keeps its size.
    """
    from threadpoolctl import threadpool_limits

    for name in _ENVIRONMENT:
        os.environ[name] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    threadpool_limits(threads)
    torch = sys.modules.get("torch")  # one that is imported later reads OMP_NUM_THREADS itself
    if torch is not None:
        torch.set_num_threads(threads)
