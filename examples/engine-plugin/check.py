"""Checks that a run measured the plug-in and that it kept the reference engine's answers: python check.py RUN."""

import sys

import bench

[row] = [result for result in bench.open_run(sys.argv[1]).results() if result.cell.engine == "folded"]
assert row.parity is not None, row.reason
assert row.parity.passed, row.parity
assert row.parity.equal_labels == 1.0
print(f"folded: {row.load['single'].rate_rps:,.0f} texts/s one by one, every label as sklearn's ({row.status})")
