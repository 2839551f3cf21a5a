"""What all tests share: no deadlines on a shared machine, no data but their own."""

from __future__ import annotations

import os

import hypothesis

os.environ.pop("BENCH_DATA", None)
os.environ["HF_HUB_OFFLINE"] = "1"

hypothesis.settings.register_profile("shared-machine", deadline=None, print_blob=True)
hypothesis.settings.load_profile("shared-machine")
