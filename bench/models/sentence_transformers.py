"""Reads how a sentence-transformers folder makes a vector of a text: pooling, length, prompt, normalisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bench.errors import AssetError
from bench.models.folder_files import read_json
from bench.types import BaseWeights

MODULES = "modules.json"
PROMPTS = "config_sentence_transformers.json"
POOLINGS: dict[str, Literal["mean", "cls", "last"]] = {
    "cls": "cls",
    "cls_token": "cls",
    "mean": "mean",
    "mean_tokens": "mean",
    "lasttoken": "last",
}
CLASSIFICATION = "classification"
_NORMALISED = {True: ", normalised", False: ", not normalised", None: ""}


@dataclass(frozen=True)
class SentenceSettings:
    """What decides a sentence vector beside the transformer in `folder`; `no_vectors` says why one cannot be made."""

    folder: Path
    pooling: Literal["mean", "cls", "last"] = "mean"
    normalise: bool | None = False
    prefix: str = ""
    max_length: int | None = None
    lower_case: bool = False
    no_vectors: str | None = None
    taken: tuple[str, ...] = ()


def read_sentence_settings(folder: Path, named: str) -> SentenceSettings | None:
    """The settings of a folder that has a modules.json; None without one."""
    if not (folder / MODULES).is_file():
        return None
    listed = read_json(folder / MODULES, f"{named}/{MODULES}")
    if not isinstance(listed, list) or not all(isinstance(module, dict) and "type" in module for module in listed):
        raise AssetError(f"{named}/{MODULES} is no list of modules with a type each; copy it again")
    modules = [(str(module["type"]).rpartition(".")[2], folder / str(module.get("path") or "")) for module in listed]
    if not modules or modules[0][0] != "Transformer":
        what = modules[0][0] if modules else "nothing"
        raise AssetError(f"{named}/{MODULES} begins with {what}; only folders that begin with a Transformer are read")
    settings = _transformer(modules[0][1], named)
    for kind, path in modules[1:]:
        if kind == "Pooling":
            settings = _pooled(settings, _table(path / "config.json", f"{named}/{path.name}/config.json"))
        elif kind == "Normalize":
            settings = replace(settings, normalise=True)
        else:
            settings = replace(settings, no_vectors=f"its vectors pass a {kind} module ({path.name}), not served here")
    if "Pooling" not in [kind for kind, _ in modules]:
        settings = replace(settings, no_vectors=f"{MODULES} has no Pooling module")
    return _told(_prompted(settings, folder, named))


def _table(path: Path, named: str) -> dict[str, Any]:
    content = read_json(path, named)
    if not isinstance(content, dict):
        raise AssetError(f"{named} is no table of settings; copy it again")
    return content


def _transformer(folder: Path, named: str) -> SentenceSettings:
    """max_seq_length and do_lower_case of sentence_bert_config.json, or what it is called for another family."""
    found = sorted(folder.glob("sentence_*_config.json"))
    content = _table(found[0], f"{named}/{found[0].name}") if found else {}
    return SentenceSettings(
        folder, max_length=content.get("max_seq_length"), lower_case=bool(content.get("do_lower_case"))
    )


def _pooled(settings: SentenceSettings, config: dict[str, Any]) -> SentenceSettings:
    """One switch a pooling in older folders, one name in newer ones."""
    named = config.get("pooling_mode")
    modes = [named] if isinstance(named, str) else list(named or ())
    modes = modes or [key.removeprefix("pooling_mode_") for key, on in config.items() if on is True and "mode" in key]
    if len(modes) != 1 or modes[0] not in POOLINGS:
        return replace(settings, no_vectors=f"its pooling ({' + '.join(modes) or 'none'}) is not served here")
    if config.get("include_prompt") is False:
        settings = replace(settings, no_vectors="its pooling leaves the prompt out (include_prompt), not served here")
    return replace(settings, pooling=POOLINGS[modes[0]])


def _prompted(settings: SentenceSettings, folder: Path, named: str) -> SentenceSettings:
    """The prompt that stands before every text: the folder's default, else the one for classification."""
    if not (folder / PROMPTS).is_file():
        return settings
    content = _table(folder / PROMPTS, f"{named}/{PROMPTS}")
    prompts = {str(name): text for name, text in (content.get("prompts") or {}).items() if text}
    chosen = content.get("default_prompt_name")
    if chosen is None:
        chosen = next((name for name in prompts if name.casefold() == CLASSIFICATION), None)
    if chosen in prompts:
        return replace(settings, prefix=prompts[chosen], taken=(f"prompt '{chosen}'",))
    if prompts:
        return replace(settings, taken=(f"no prompt, as none of {', '.join(prompts)} is its default",))
    return settings


def settings_of_base(base: BaseWeights, folder: Path) -> SentenceSettings | None:
    """Those of the base that an adapter was merged into; None where the base itself states none."""
    if base.normalise is None and base.no_vectors is None and base.pooling != "mean" and not base.prefix:
        return None
    settings = SentenceSettings(
        folder, base.pooling, base.normalise, base.prefix, base.max_length, no_vectors=base.no_vectors
    )
    return _told(replace(settings, taken=("as its base",)))


def _told(settings: SentenceSettings) -> SentenceSettings:
    vectors = (
        f"{settings.pooling} pooling{_NORMALISED[settings.normalise]}"
        if settings.no_vectors is None
        else f"no sentence vectors: {settings.no_vectors}"
    )
    lower = ("in lower case",) if settings.lower_case else ()
    return replace(settings, taken=(vectors, *settings.taken, *lower))
