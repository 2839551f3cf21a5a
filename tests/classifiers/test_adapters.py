"""Adapters: rebuilt as they were trained, on every architecture, switched over one base; refused where they cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny_models
import torch
from safetensors.torch import load_file
from tiny_trainings import FAST, fit, logits_of, recipe
from tiny_trainings import TRAINED as METHODS
from transformers import AutoModelForSequenceClassification

from bench import registry
from bench.classifiers.adapters import TRAINED, Bottleneck, add_adapter, add_lora, merge_lora
from bench.classifiers.folder import load_classifier
from bench.classifiers.modules import load_module, load_switched
from bench.classifiers.pretrained import load_with_new_head
from bench.errors import AssetError, NotAvailable, UsageError
from bench.execution.predict import Predictor
from bench.plan.engines import load_engines
from bench.types import BaseWeights, Classifier, Workplace

SHORT = FAST | {"epochs": 1}
ENCODERS = ("tiny_bert", "tiny_distilbert", "tiny_roberta", "tiny_deberta", "tiny_modernbert")
DECODERS = ("tiny_gpt2", "tiny_llama", "tiny_qwen3")


def base_of(name: str, folder: Path) -> BaseWeights:
    make: Callable[[Path], BaseWeights] = getattr(tiny_models, name)
    return make(folder)


def answers(classifier: Classifier, texts: tuple[str, ...], threads: int = 1) -> np.ndarray:
    """Through the reference engine, in batches of its own making."""
    spec = load_engines()["eager"]
    session = registry.find("backend", "eager")(spec, Workplace("cpu", threads, classifier.path.parent)).load(
        classifier
    )
    return session.predict(texts).probabilities


@pytest.mark.parametrize("architecture", (*ENCODERS, *DECODERS))
@pytest.mark.parametrize("method", ["full-finetune", "lora", "adapter", "p-tuning"])
def test_every_architecture_is_served_as_it_was_trained(tmp_path: Path, architecture: str, method: str) -> None:
    """Batches of mixed length through the engine equal one text at a time: pad side and pooled token are right."""
    base = base_of(architecture, tmp_path / "base")
    data = tiny_models.toy_dataset(train=32, validation=24, test=24)
    extra = {"p-tuning": {"virtual_tokens": 4}, "lora": {"merge": False}}.get(method, {})
    classifier = fit(recipe(method, **SHORT, **extra), data, tmp_path / "c", base)
    alone = torch.from_numpy(logits_of(classifier, data.validation.texts)).softmax(dim=1).numpy()
    np.testing.assert_allclose(answers(classifier, data.validation.texts), alone, atol=2e-5)
    kept = [point for point in classifier.manifest.fit.curve if point.step == classifier.manifest.fit.chosen_step]
    agreement = (alone.argmax(axis=1) == data.validation.labels).mean()
    assert agreement == pytest.approx(kept[0].accuracy, abs=0.13), "what was trained is not what was stored"
    if method != "full-finetune":
        assert classifier.manifest.fit.saved_bytes < (base.path / "model.safetensors").stat().st_size
        assert (classifier.path / "model.safetensors").samefile(base.path / "model.safetensors")


def test_merged_and_kept_beside_answer_alike(tmp_path: Path) -> None:
    base = tiny_models.tiny_bert(tmp_path / "base")
    data = tiny_models.toy_dataset()
    merged = fit(recipe("lora", **SHORT), data, tmp_path / "merged", base)
    beside = fit(recipe("lora", **SHORT, merge=False), data, tmp_path / "beside", base)
    texts = data.test.texts
    np.testing.assert_allclose(logits_of(merged, texts), logits_of(beside, texts), atol=1e-4)
    assert not (merged.path / TRAINED).exists()


def test_merging_changes_no_answer(tmp_path: Path) -> None:
    model = load_with_new_head(AutoModelForSequenceClassification, tiny_models.tiny_gpt2(tmp_path).path, num_labels=3)[
        0
    ]
    add_lora(model, r=2, alpha=8, dropout=0.0, targets=["c_attn"])
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_" in name:
                weight.normal_()
    ids = torch.tensor([[5, 6, 7]])
    before = model.eval()(input_ids=ids).logits
    merged = merge_lora(model)
    torch.testing.assert_close(merged(input_ids=ids).logits, before, rtol=1e-4, atol=1e-4)
    assert not any("lora" in name for name, _ in merged.named_parameters())


def test_several_adapters_are_switched_over_one_base(tmp_path: Path) -> None:
    base = tiny_models.tiny_llama(tmp_path / "base")
    data = tiny_models.toy_dataset()
    made = recipe("lora", **FAST, merge=False)
    folders = [fit(made, data, tmp_path / f"c{seed}", base, seed=seed).path for seed in range(3)]
    classifiers = [load_classifier(folder) for folder in folders]
    switched = load_switched(classifiers)
    ids, mask = torch.tensor([[5, 6, 7, 8]]), torch.ones(1, 4, dtype=torch.int64)
    with torch.inference_mode():
        for number in (0, 2, 1, 0):
            expected = load_module(classifiers[number])(ids, mask)
            torch.testing.assert_close(switched.view(number)(ids, mask), expected, rtol=0, atol=0)
    with Predictor(folders, None, "cpu", 1) as predictor:
        rows = predictor.rows(data.test.texts[:4])
        details = [session.info.details for session in predictor._sessions]
    assert [detail["adapters_on_one_base"] for detail in details] == [3, 3, 3]
    for number, classifier in enumerate(classifiers):
        shown = [list(row["models"][number]["probabilities"].values()) for row in rows]
        np.testing.assert_allclose(shown, answers(classifier, data.test.texts[:4]), atol=1e-6)


def test_what_has_no_common_base_is_not_switched(tmp_path: Path) -> None:
    data = tiny_models.toy_dataset()
    merged = fit(recipe("lora", **SHORT), data, tmp_path / "c", tiny_models.tiny_bert(tmp_path / "base"))
    with pytest.raises(UsageError, match="same base model"):
        load_switched([merged, merged])


def test_prefix_tuning_of_an_encoder_is_refused(tmp_path: Path) -> None:
    base = tiny_models.tiny_bert(tmp_path / "base")
    with pytest.raises(NotAvailable, match="needs past_key_values, and BertForSequenceClassification is an encoder"):
        fit(recipe("prefix-tuning", **SHORT), tiny_models.toy_dataset(), tmp_path / "c", base)


def test_more_virtual_tokens_than_the_context_holds(tmp_path: Path) -> None:
    base = tiny_models.tiny_bert(tmp_path / "base")
    with pytest.raises(UsageError, match=r"60 virtual tokens leave no room .* set at most 40"):
        fit(recipe("prompt-tuning", **SHORT, virtual_tokens=60), tiny_models.toy_dataset(), tmp_path / "c", base)


def test_another_adapters_weights_are_refused(tmp_path: Path) -> None:
    base = tiny_models.tiny_bert(tmp_path / "base")
    data = tiny_models.toy_dataset()
    adapter = fit(recipe("adapter", **SHORT, width=4), data, tmp_path / "adapter", base)
    prompt = fit(recipe("prompt-tuning", **SHORT, virtual_tokens=4), data, tmp_path / "prompt", base)
    (prompt.path / TRAINED).unlink()
    (prompt.path / TRAINED).write_bytes((adapter.path / TRAINED).read_bytes())
    with pytest.raises(AssetError, match="has no place for"):
        load_module(prompt)


def test_the_model_starts_as_it_was(tmp_path: Path) -> None:
    """A bottleneck adapter adds almost nothing before it is trained, and only it and the new head are trained."""
    base = tiny_models.tiny_llama(tmp_path)
    plain = load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)[0].eval()
    adapted = load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)[0].eval()
    module = add_adapter(adapted, {"kind": "bottleneck", "width": 4})
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        before, after = plain.model(ids).last_hidden_state, adapted.model(ids).last_hidden_state
    torch.testing.assert_close(before, after, rtol=0.05, atol=0.05)
    assert all("bottleneck" in name for name, weight in module.named_parameters() if weight.requires_grad)


def test_virtual_tokens_before_a_decoder_are_pefts(tmp_path: Path) -> None:
    from peft import PromptTuningConfig, TaskType, get_peft_model

    base = tiny_models.tiny_llama(tmp_path)
    ours = add_adapter(
        load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)[0],
        {"kind": "virtual-tokens", "count": 5},
    ).eval()
    model = load_with_new_head(AutoModelForSequenceClassification, base.path, num_labels=3)[0]
    model.config.pad_token_id = 0
    model.load_state_dict(ours.model.state_dict())
    theirs = get_peft_model(model, PromptTuningConfig(task_type=TaskType.SEQ_CLS, num_virtual_tokens=5)).eval()
    with torch.no_grad():
        theirs.prompt_encoder["default"].embedding.weight.copy_(ours.vectors)
    ids, mask = torch.tensor([[5, 6, 7, 8]]), torch.ones(1, 4, dtype=torch.int64)
    expected = theirs(input_ids=ids, attention_mask=mask).logits
    torch.testing.assert_close(ours(ids, mask), expected, rtol=1e-4, atol=1e-5)


def test_what_is_stored_of_an_adapter_is_small_and_named(tmp_path: Path) -> None:
    base = tiny_models.tiny_bert(tmp_path / "base")
    classifier = fit(recipe("adapter", **SHORT, width=4), tiny_models.toy_dataset(), tmp_path / "c", base)
    names = load_file(classifier.path / TRAINED)
    assert all("bottleneck" in name or "classifier" in name or "pooler" in name for name in names)


def test_packed_refuses_an_adapter_it_would_not_compute(tmp_path: Path) -> None:
    base = tiny_models.tiny_bert(tmp_path / "base")
    classifier = fit(recipe("adapter", **SHORT, width=4), tiny_models.toy_dataset(), tmp_path / "c", base)
    backend = registry.find("backend", "packed")(load_engines()["packed"], Workplace("cpu", 1, tmp_path))
    with pytest.raises(NotAvailable, match="kept beside its base"):
        backend.load(classifier)


EXPORTED = ("lstm", "cnn+lstm", "capsule-lstm", "transformer", "lora beside the base", "adapter", "prompt-tuning")


@pytest.mark.parametrize("name", (*EXPORTED, "prompt-tuning on a decoder", "prefix-tuning", "own-head"))
def test_what_is_trained_can_be_exported(tmp_path: Path, name: str) -> None:
    """ONNX Runtime answers as eager does, for batches of any size and length."""
    made, make_base = METHODS[name]
    base = make_base(tmp_path / "base") if make_base else None
    data = tiny_models.toy_dataset(train=32, validation=12, test=24)
    short = made.model_copy(update={"params": made.params | {"epochs": 1}})
    classifier = fit(short, data, tmp_path / "c", base)
    spec = load_engines()["onnx"]
    session = registry.find("backend", spec.backend)(spec, Workplace("cpu", 1, tmp_path / "cache")).load(classifier)
    np.testing.assert_allclose(
        session.predict(data.test.texts).probabilities, answers(classifier, data.test.texts), atol=1e-5
    )


def test_a_bottleneck_starts_as_published() -> None:
    torch.manual_seed(0)
    layer = Bottleneck(256, 64)
    assert layer.down.weight.std().item() == pytest.approx(0.01, rel=0.05)
    assert not layer.down.bias.any() and not layer.up.bias.any()
    assert layer.up.weight.std().item() < 0.002
