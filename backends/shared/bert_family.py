"""Tells which encoders have BERT's layers, for the engines that compute those themselves."""

from __future__ import annotations

from typing import Any

from bench.errors import NotAvailable

# these count positions from the padding id
POSITIONS_FROM_PADDING = frozenset({"camembert", "roberta", "xlm-roberta"})
FAMILIES = POSITIONS_FROM_PADDING | {"bert"}


def check_bert(config: Any, engine: str) -> None:
    """Raise NotAvailable, in the engine's name, for a model of another family or with another activation."""
    family = getattr(config, "model_type", None)
    if family not in FAMILIES or config.is_decoder:
        raise NotAvailable(f"{engine} serves encoders of the families {', '.join(sorted(FAMILIES))}, not {family}")
    if config.hidden_act != "gelu":
        raise NotAvailable(f"{engine} serves encoders with exact GELU, this one has {config.hidden_act}")


def is_bert(config: Any) -> bool:
    """Whether it is the config of such an encoder."""
    try:
        check_bert(config, "an engine")
    except NotAvailable:
        return False
    return True
