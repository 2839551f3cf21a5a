"""Writes a classifier folder, its manifest last, and checks every file when it reads one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import ValidationError

from bench.errors import AssetError
from bench.files.cache import file_sha256, write_whole
from bench.types import SCHEMA_VERSION, Classifier, Manifest, first_problem

MANIFEST = "manifest.json"
CONFIG = "config.json"


def save_classifier(folder: Path, manifest: Manifest) -> Classifier:
    """Write manifest.json with the hash of every file already in `folder`; a plain model gets the classes' names."""
    if manifest.kind == "sequence" and "adapter" not in manifest.settings:
        _name_classes(folder / CONFIG, manifest.class_names)
    files = {
        str(file.relative_to(folder)): file_sha256(file)
        for file in sorted(folder.rglob("*"))
        if file.is_file() and file.name != MANIFEST
    }
    whole = manifest.model_copy(update={"files": files})
    (folder / MANIFEST).write_text(whole.model_dump_json(indent=1), encoding="utf-8")
    return load_classifier(folder)


def mark_trained_beside(folder: Path) -> None:
    """Note in the manifest that others were at work while it was trained: its seconds are no figure of the machine."""
    manifest = load_classifier(folder).manifest
    if manifest.fit:
        fit = manifest.fit.model_copy(update={"beside_others": True})
        marked = manifest.model_copy(update={"fit": fit})
        (folder / MANIFEST).write_text(marked.model_dump_json(indent=1), encoding="utf-8")


def _name_classes(config_json: Path, class_names: Sequence[str]) -> None:
    """Put id2label and label2id into config.json, so that transformers and vLLM answer with names."""
    if not config_json.is_file():
        return
    config = json.loads(config_json.read_bytes())
    config["id2label"] = {str(at): name for at, name in enumerate(class_names)}
    config["label2id"] = {name: at for at, name in enumerate(class_names)}
    write_whole(config_json, json.dumps(config, indent=2, ensure_ascii=False).encode("utf-8"))


def load_classifier(folder: Path) -> Classifier:
    """Read a classifier folder; raises AssetError when a part is missing or of another schema."""
    path = folder / MANIFEST
    if not path.is_file():
        raise AssetError(f"{folder} is no classifier: {MANIFEST} is missing; make one with `bench train`")
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise AssetError(f"{path} is not JSON ({error}); train the classifier again") from error
    if content.get("schema_version") != SCHEMA_VERSION:
        found = content.get("schema_version")
        raise AssetError(f"{path} has schema version {found}, this harness reads {SCHEMA_VERSION}; train it again")
    try:
        manifest = Manifest.model_validate(content)
    except ValidationError as error:
        raise AssetError(f"{path}: {first_problem(error)}; train the classifier again") from error
    for name in manifest.files:
        if not (folder / name).is_file():
            raise AssetError(f"{folder} lacks {name}, which its manifest names; train or copy the classifier again")
    return Classifier(path=folder, manifest=manifest, sha256=_content_sha256(manifest))


def _content_sha256(manifest: Manifest) -> str:
    deciding = manifest.model_dump(include={"kind", "class_names", "max_length", "settings", "files"})
    return sha256(json.dumps(deciding, sort_keys=True).encode("utf-8")).hexdigest()


def load_whole_classifier(folder: Path) -> Classifier:
    """Read a classifier folder and compare every file with its hash: for answers that somebody will act on."""
    classifier = load_classifier(folder)
    verify_classifier(classifier)
    return classifier


def verify_classifier(classifier: Classifier) -> None:
    """Compare every file with its hash in the manifest; raises AssetError on the first difference."""
    for name, expected in classifier.manifest.files.items():
        if file_sha256(classifier.path / name) != expected:
            raise AssetError(
                f"{classifier.path / name} is not what {MANIFEST} says (its sha256 differs): it is damaged, or was "
                "written over; train or copy the classifier again"
            )
