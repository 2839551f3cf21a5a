"""What all tests share: no deadlines on a shared machine, no data but their own, no calibration."""

from __future__ import annotations

import os

import hypothesis

from bench.machine.companions import hide_unfit_companions

os.environ.pop("BENCH_DATA", None)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["BENCH_CALIBRATION"] = "off"  # tests of it turn it on
hide_unfit_companions()  # tests of engines import transformers in this process

hypothesis.settings.register_profile("shared-machine", deadline=None, print_blob=True)
hypothesis.settings.load_profile("shared-machine")
