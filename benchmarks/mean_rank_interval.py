"""How often the 95 % interval of a mean rank over suites holds the true mean rank, by simulation.

    python benchmarks/mean_rank_interval.py > benchmarks/mean_rank_interval.md

A method's scores on N suites are normal; it is ahead of the others, which are alike, by so many standard deviations.
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from bench.quality.across import rank_interval

TABLES, TRUTH = 1000, 200_000
METHODS, SUITES, AHEAD = (2, 3, 5, 10), (3, 5, 8, 15, 30), (0.0, 0.5, 1.0, 2.0, 3.0)


def main() -> None:
    generator = np.random.default_rng(0)
    print("# The interval of a mean rank over suites\n")
    print(
        f"Made by `python benchmarks/mean_rank_interval.py`; {TABLES:,} tables a cell. In brackets: Student's interval"
    )
    print("of the ranks as they are, which is of no width where a method has the same rank on every suite.\n")
    print("| methods | suites | " + " | ".join(f"ahead by {ahead:g} sd" for ahead in AHEAD) + " |")
    print("|---:|---:|" + "---:|" * len(AHEAD))
    for methods in METHODS:
        for suites in SUITES:
            cells = [_cell(generator, methods, suites, ahead) for ahead in AHEAD]
            print(f"| {methods} | {suites} | " + " | ".join(cells) + " |")


def _cell(generator: np.random.Generator, methods: int, suites: int, ahead: float) -> str:
    true = _ranks(generator, (TRUTH,), methods, ahead).mean()
    ranks = _ranks(generator, (TABLES, suites), methods, ahead)
    held = np.mean([low <= true <= high for low, high in (rank_interval(row, methods) for row in ranks)])
    half = stats.t.ppf(0.975, suites - 1) * ranks.std(axis=1, ddof=1) / np.sqrt(suites)
    plain = (np.abs(ranks.mean(axis=1) - true) <= half).mean()
    return f"{held:.1%} ({plain:.1%})"


def _ranks(generator: np.random.Generator, shape: tuple[int, ...], methods: int, ahead: float) -> np.ndarray:
    """The first method's ranks."""
    scores = generator.normal(size=(*shape, methods))
    scores[..., 0] += ahead
    return np.asarray(stats.rankdata(-scores, axis=-1)[..., 0])


if __name__ == "__main__":
    main()
