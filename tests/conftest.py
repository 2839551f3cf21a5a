"""What all tests share: no deadlines on a shared machine, no data but their own, no calibration."""

from __future__ import annotations

import os

import hypothesis

os.environ.pop("BENCH_DATA", None)
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["BENCH_CALIBRATION"] = "off"  # tests of it turn it on

hypothesis.settings.register_profile("shared-machine", deadline=None, print_blob=True)
hypothesis.settings.load_profile("shared-machine")
