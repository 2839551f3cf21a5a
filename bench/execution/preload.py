"""Imports what every cell's process needs, once in the fork server, so that a cell starts in milliseconds.

Ctrl-C in a terminal reaches every process: the fork server begins with it blocked, and cells ignore it from their
first moment, since `bench run` ends them.
"""

import signal
from importlib import import_module

from bench.machine.companions import hide_unfit_companions

LIBRARIES = (
    "numpy",
    "scipy.special",
    "sklearn.linear_model",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
)

hide_unfit_companions()  # before transformers looks for them
for library in LIBRARIES:
    import_module(library)

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
