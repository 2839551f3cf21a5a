"""Runs bench/gates/worker.py by the name that a base checked out before version 0.2 knows; goes with version 0.3."""

from bench.gates.worker import main

if __name__ == "__main__":
    main()
