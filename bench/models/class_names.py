"""Reads id2label of a config.json in the shapes that people write by hand, and names those that mean nothing."""

from __future__ import annotations

from typing import Any

from bench.errors import AssetError


def mend_labels(config: dict[str, Any], named: str) -> tuple[dict[str, Any], str | None]:
    """The config with id2label from "0", "1", ... to names, and what was read how; raises AssetError where it is none.

    A list is read in its order, a table of names to numbers turned round; both stop transformers.
    """
    found = config.get("id2label")
    if found is None or found == {}:
        return config, None
    names, read_as = _names(found)
    if names is None or sorted(names) != list(range(len(names))):
        raise AssetError(f"{named}/config.json: id2label must name the outputs 0, 1, 2 ...; it is {_shown(found)}")
    if len(set(names.values())) < len(names):
        raise AssetError(f"{named}/config.json: id2label gives two outputs one name: {_shown(found)}")
    id2label = {str(at): names[at] for at in sorted(names)}
    mended = {**config, "id2label": id2label}
    if read_as or not isinstance(config.get("label2id", {}), dict):
        mended["label2id"] = {name: int(at) for at, name in id2label.items()}
    return mended, read_as and f"id2label was {read_as}, read as {', '.join(id2label.values())}"


def _names(found: Any) -> tuple[dict[int, str] | None, str | None]:
    if isinstance(found, list):
        return {at: str(name) for at, name in enumerate(found)}, "a list"
    if not isinstance(found, dict):
        return None, None
    if all(str(at).isdecimal() for at in found):
        return {int(at): str(name) for at, name in found.items()}, None
    if all(isinstance(at, int) or str(at).isdecimal() for at in found.values()):
        return {int(at): str(name) for name, at in found.items()}, "turned round"
    return None, None


def _shown(found: Any) -> str:
    text = str(found)
    return text if len(text) <= 100 else f"{text[:100]}..."
