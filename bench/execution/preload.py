"""What every cell's process needs, imported once in the fork server so that a cell starts in milliseconds.

Ctrl-C in a terminal reaches every process: the fork server begins with it blocked, and cells ignore it from their
first moment, since `bench run` ends them.
"""

import signal

import numpy
import scipy.special
import sklearn.linear_model
import torch
import transformers.models.auto.modeling_auto
import transformers.models.bert.modeling_bert
import transformers.models.llama.modeling_llama

__all__ = ["numpy", "scipy", "sklearn", "torch", "transformers"]

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
