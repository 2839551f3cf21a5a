"""Makes a data set of a few texts."""

from __future__ import annotations

import numpy as np
from tiny_classifiers import tiny_texts
from tiny_models import CLASS_NAMES

from bench.types import Dataset, Prompt, Source, Split, SplitSizes


def tiny_dataset() -> Dataset:
    def split(count: int, seed: int) -> Split:
        return Split(tuple(tiny_texts(count, seed)), np.arange(count, dtype=np.int64) % 3, np.arange(count))

    return Dataset(
        name="agnews",
        title="tiny",
        language="en",
        class_names=CLASS_NAMES,
        train=split(60, 1),
        validation=split(6, 2),
        test=split(60, 3),
        full_sizes=SplitSizes(train=60, validation=6, test=60),
        source=Source(kind="local", name="tiny"),
        prompt=Prompt(template="{text}", label_words=CLASS_NAMES),
    )
