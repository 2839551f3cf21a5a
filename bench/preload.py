"""What every cell's process needs, imported once in the fork server so that a cell starts in milliseconds."""

import numpy
import scipy.special
import sklearn.linear_model
import torch
import transformers.models.auto.modeling_auto
import transformers.models.bert.modeling_bert
import transformers.models.llama.modeling_llama

__all__ = ["numpy", "scipy", "sklearn", "torch", "transformers"]
