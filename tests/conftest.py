"""What all tests share: no deadline, no data but their own, one thread, one CPU to play, no calibration."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import hypothesis
import pytest

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


@pytest.fixture(autouse=True, scope="module")
def heap_of_earlier_tests_frozen() -> Iterator[None]:
    """Measurements collect garbage before every run: seconds each, over all that thousands of tests have imported."""
    gc.collect()
    gc.freeze()
    yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """vLLM first: every start of it looks through all that has been imported by then, 50 s late in a whole run."""
    items.sort(key=lambda item: item.path.name != "test_vllm.py")
