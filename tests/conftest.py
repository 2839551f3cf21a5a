"""What all tests share: no deadlines on a shared machine, no data but their own, one CPU to play, no calibration."""

from __future__ import annotations

import os

import hypothesis

from bench.machine.companions import hide_unfit_companions
from bench.machine.instructions import play_smaller_cpu

os.environ.pop("BENCH_DATA", None)
os.environ["HF_HUB_OFFLINE"] = "1"
play_smaller_cpu()  # BENCH_MAX_CPU_ISA, before a test imports torch
os.environ["BENCH_CALIBRATION"] = "off"  # tests of it turn it on
hide_unfit_companions()  # tests of engines import transformers in this process

hypothesis.settings.register_profile("shared-machine", deadline=None, print_blob=True)
hypothesis.settings.load_profile("shared-machine")
