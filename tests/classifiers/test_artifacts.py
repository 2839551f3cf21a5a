"""The classifier folder: complete, of the right schema, undamaged, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_classifiers import sequence_bert
from tiny_models import CLASS_NAMES

from bench.classifiers.folder import MANIFEST, load_classifier, save_classifier, verify_classifier
from bench.errors import AssetError
from bench.execution.predict import Predictor
from bench.files.cache import clone_or_copy, link_or_copy
from bench.types import Classifier, FitRecord, Manifest, Recipe


def save(folder: Path, fit_s: float = 1.0, weights: bytes = b"weights") -> Classifier:
    folder.mkdir(exist_ok=True)
    (folder / "linear.safetensors").write_bytes(weights)
    manifest = Manifest(
        kind="linear",
        class_names=("a", "b"),
        language="en",
        recipe=Recipe(id="tfidf", title="TF-IDF", method="tfidf"),
        seed=0,
        data_fingerprint="f",
        fit=FitRecord(fit_s=fit_s),
    )
    return save_classifier(folder, manifest)


def test_round_trip(tmp_path: Path) -> None:
    saved = save(tmp_path / "c")
    loaded = load_classifier(tmp_path / "c")
    assert loaded == saved
    assert list(loaded.manifest.files) == ["linear.safetensors"]
    verify_classifier(loaded)


def test_the_hash_covers_weights_and_not_times(tmp_path: Path) -> None:
    first = save(tmp_path / "first", fit_s=1.0)
    slower = save(tmp_path / "slower", fit_s=2.0)
    other = save(tmp_path / "other", weights=b"others")
    assert first.sha256 == slower.sha256
    assert first.sha256 != other.sha256


def test_damage_is_found(tmp_path: Path) -> None:
    classifier = save(tmp_path / "c")
    (tmp_path / "c" / "linear.safetensors").write_bytes(b"weighty")
    with pytest.raises(AssetError, match=r"linear\.safetensors is not what manifest\.json says"):
        verify_classifier(classifier)


def test_a_missing_part_is_named(tmp_path: Path) -> None:
    save(tmp_path / "c")
    (tmp_path / "c" / "linear.safetensors").unlink()
    with pytest.raises(AssetError, match=r"lacks linear\.safetensors"):
        load_classifier(tmp_path / "c")


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=r"manifest\.json is missing"):
        load_classifier(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"schema_version": 99}, "schema version 99"), ({"kind": "pickle"}, "kind"), ({"surprise": 1}, "surprise")],
)
def test_a_wrong_manifest_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    save(tmp_path / "c")
    path = tmp_path / "c" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(AssetError, match=message):
        load_classifier(tmp_path / "c")


def test_linked_files_hold_the_same_bytes(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    link_or_copy(source, tmp_path / "deep" / "target")
    assert (tmp_path / "deep" / "target").read_bytes() == b"x"


def test_a_copy_of_its_own_stays_when_the_source_is_written_over(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "deep" / "target"
    source.write_bytes(b"before")
    clone_or_copy(source, target)
    assert source.stat().st_ino != target.stat().st_ino
    source.write_bytes(b"after")
    assert target.read_bytes() == b"before"


def test_answers_are_refused_from_weights_that_were_written_over(tmp_path: Path) -> None:
    folder = sequence_bert(tmp_path / "c").path
    with Predictor([folder], None, "cpu", 1) as predictor:
        assert predictor.rows(["goal"])[0]["models"][0]["label"] in CLASS_NAMES
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
    with pytest.raises(AssetError, match=r"model\.safetensors is not what manifest\.json says .*written over"):
        Predictor([folder], None, "cpu", 1)
