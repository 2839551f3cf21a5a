"""What all tests share: no deadline, no data but their own, one thread, one CPU to play, no calibration."""

from __future__ import annotations

import os

import hypothesis

from bench.machine.companions import hide_unfit_companions
from bench.machine.instructions import play_smaller_cpu

os.environ.pop("BENCH_DATA", None)
# Two test processes on two cores would wait for each other in OpenMP's busy loops, at three times the processor time;
# what measures or trains sets its own number of threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ["HF_HUB_OFFLINE"] = "1"
play_smaller_cpu()  # BENCH_MAX_CPU_ISA, before a test imports torch
os.environ["BENCH_CALIBRATION"] = "off"  # tests of it turn it on
hide_unfit_companions()  # tests of engines import transformers in this process

hypothesis.settings.register_profile("shared-machine", deadline=None, print_blob=True)
hypothesis.settings.load_profile("shared-machine")
