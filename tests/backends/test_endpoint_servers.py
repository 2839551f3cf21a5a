"""Real servers on loopback: llama.cpp with SmolLM2, and vLLM where it is installed."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from own_data_runs import assert_measured, run
from servers import Server, llama_server, vllm_server
from tiny_classifiers import MAX_LENGTH, finish, tiny_texts
from tiny_models import CLASS_NAMES, TINY, no_progress, save_tokenizer
from transformers import BertConfig, BertForSequenceClassification, LlamaConfig, LlamaForCausalLM
from vllm_classifiers import constrained

from backends.eager import EagerBackend
from backends.endpoint.engine import EndpointBackend
from backends.endpoint.session import EndpointSession
from bench import registry
from bench.data.assembly import Limits
from bench.data.datasets import prepare_dataset
from bench.data.suites import load_suite
from bench.errors import EndpointFailed
from bench.models.base import base_weights
from bench.plan.engines import load_engines
from bench.plan.recipes import recipes_for
from bench.plan.tiers import Tier
from bench.results.store import open_run
from bench.speed.batcher import BatchBudget
from bench.speed.server_runs import ServerTest
from bench.types import Classifier, Dataset, Ending, Prediction, Workplace

pytestmark = pytest.mark.slow

VLLM = os.environ.get("BENCH_TEST_VLLM_PYTHON", sys.executable)  # the Python of another environment that has vLLM
HAS_VLLM = sys.executable != VLLM or importlib.util.find_spec("vllm") is not None


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("servers")


@pytest.fixture(scope="module")
def llama(folder: Path) -> Iterator[Server]:
    with llama_server(folder) as server:
        yield server


@pytest.fixture(scope="module")
def data() -> Dataset:
    return prepare_dataset(load_suite("agnews"), None, Limits(train=40, test=8), None)


def made(recipe_id: str, data: Dataset, folder: Path, **params: Any) -> Classifier:
    recipe = next(recipe for recipe in recipes_for("small") if recipe.id == recipe_id)
    recipe = recipe.model_copy(update={"params": recipe.params | params})
    base = base_weights("smollm2-135m", None) if recipe.role else None
    place = Workplace("cpu", 1, folder)
    trainer = registry.find("trainer", recipe.method)(recipe, base, place)
    classifier: Classifier = trainer.fit(data, 0, folder / f"{recipe_id}-{len(params)}", lambda *_: None)
    return classifier


def through(server: Server, classifier: Classifier, texts: tuple[str, ...] | list[str], **options: Any) -> Prediction:
    spec = load_engines()["endpoint"]
    spec = spec.model_copy(update={"options": {**server.options, **options}})
    session = EndpointBackend(spec, Workplace("cpu", 1, Path())).load(classifier)
    try:
        prediction = session.predict(texts)
        assert session.clock.failed_requests == {}
        assert session.clock.real_tokens == prediction.token_counts.sum()
    finally:
        session.close()
    return prediction


def eager(classifier: Classifier, texts: tuple[str, ...] | list[str]) -> Prediction:
    return EagerBackend(load_engines()["eager"], Workplace("cpu", 1, Path())).load(classifier).predict(texts)


@pytest.mark.parametrize("recipe", ["zero-shot-letters", "zero-shot"])
def test_llama_cpp_scores_options_as_the_weights_do(recipe: str, llama: Server, data: Dataset, folder: Path) -> None:
    """The GGUF holds 4-bit weights that the harness reads out exactly; llama.cpp rounds activations to 8 bits."""
    classifier = made(recipe, data, folder)
    expected, served = eager(classifier, data.test.texts), through(llama, classifier, data.test.texts)
    assert served.token_counts.tolist() == expected.token_counts.tolist()
    np.testing.assert_allclose(served.probabilities, expected.probabilities, atol=0.1)
    top_two = np.sort(expected.probabilities, axis=1)[:, -2:]
    decided = top_two[:, 1] - top_two[:, 0] > 0.2
    assert served.labels[decided].tolist() == expected.labels[decided].tolist()


def test_llama_cpp_writes_answers(llama: Server, data: Dataset, folder: Path) -> None:
    classifier = made("zero-shot-writing", data, folder)
    expected, served = eager(classifier, data.test.texts), through(llama, classifier, data.test.texts)
    assert (served.labels == expected.labels).mean() >= 0.5
    thinking = made("zero-shot-thinking", data, folder, think_tokens=6, max_new_tokens=4)
    few = data.test.texts[:3]
    assert through(llama, thinking, few).labels.tolist() == through(llama, thinking, few, concurrency=1).labels.tolist()


@pytest.mark.parametrize("recipe", ["served-letters", "served-letters-chat", "served-writing"])
def test_llama_cpp_serves_a_model_that_is_not_here(recipe: str, llama: Server, data: Dataset, folder: Path) -> None:
    classifier = made(recipe, data, folder)
    together = through(llama, classifier, data.test.texts)
    assert together.labels.min() >= -1
    assert (together.labels >= 0).any()
    assert together.token_counts.min() > 10
    alone = through(llama, classifier, data.test.texts, concurrency=1)
    assert (alone.labels == together.labels).mean() >= 0.75


def test_llama_cpp_keeps_to_the_permitted_answers(llama: Server, data: Dataset, folder: Path) -> None:
    """By its grammar, as the weights' own mask does, and by a JSON schema in a chat."""
    classifier = made("zero-shot-constrained", data, folder)
    expected, served = eager(classifier, data.test.texts), through(llama, classifier, data.test.texts)
    assert (served.labels >= 0).all()
    assert (served.labels == expected.labels).mean() >= 0.5
    there = made("served-constrained", data, folder)
    for constrain in ("grammar", "json"):
        found = through(llama, there, data.test.texts, constrain=constrain)
        assert (found.labels >= 0).all()
        assert found.endings is not None
        assert set(found.endings.tolist()) == {Ending.WHOLE}


def test_llama_cpp_as_a_wrong_server(llama: Server, data: Dataset, folder: Path) -> None:
    with pytest.raises(EndpointFailed, match="has no model 'large'; it serves smollm2-135m"):
        through(llama, made("served-letters", data, folder, suffix="."), data.test.texts, model="large")
    with pytest.raises(EndpointFailed, match=r"/classify is no address of this server \(HTTP 404\)"):
        through(llama, made("served-classify", data, folder), data.test.texts)


def test_a_text_too_long_for_the_server_fails_alone(llama: Server, data: Dataset, folder: Path) -> None:
    classifier = made("served-letters", data, folder, max_characters=100_000)
    spec = load_engines()["endpoint"].model_copy(update={"options": llama.options})
    session = EndpointBackend(spec, Workplace("cpu", 1, Path())).load(classifier)
    prediction = session.predict(["word " * 3000, data.test.texts[0]])
    assert prediction.labels[0] == -1
    assert prediction.labels[1] >= 0
    assert session.clock.failed_requests == {}, "the server refuses the text, it did not fail"
    assert (session.clock.refused, session.clock.unanswered) == (1, 0)
    session.close()


def test_llama_cpp_killed_half_way(data: Dataset, folder: Path) -> None:
    classifier = made("served-letters", data, folder, suffix="!")
    with llama_server(folder) as server:
        options = {**server.options, "retries": 1}
        spec = load_engines()["endpoint"].model_copy(update={"options": options})
        session = EndpointBackend(spec, Workplace("cpu", 1, Path())).load(classifier)
        assert session.predict(data.test.texts[:1]).labels[0] >= 0
        server.kill()
        with pytest.raises(
            EndpointFailed, match="stopped answering after 0 of 8 texts; failed requests: no connection"
        ):
            session.predict(data.test.texts)
        session.close()


def test_a_run_through_llama_cpp(llama: Server, tmp_path: Path) -> None:
    """Certified against the weights where they are here; its own reference where they are not."""
    done = run(
        *("--suite", "agnews", "--methods", "zero-shot-letters,served-letters", "--limit", "6", "--tier", "sample"),
        *("--endpoint", llama.url, "--endpoint-model", llama.model, "--concurrency", "2", "--threads", "1"),
        *("--scenario", "offline", "--backends", "eager,endpoint", "--out", str(tmp_path / "run")),
    )
    assert done.returncode == 0, done.stderr
    rows = {(row.cell.recipe, row.cell.engine): row for row in open_run(tmp_path / "run").results}
    certified, own = rows["zero-shot-letters", "endpoint"], rows["served-letters", "endpoint"]
    assert certified.parity is not None
    assert certified.parity.same_tokens
    assert certified.parity.equal_labels >= 0.6
    assert_measured(own)
    assert own.parity is None
    assert own.cell.base_model == llama.model
    assert own.session is not None
    assert own.session.details["concurrency"] == 2
    assert own.session.peak_rss_bytes is None
    assert own.load["offline"].rate_rps > 0


LOAD = Tier(
    name="load",
    min_duration_s=0.3,
    min_queries=20,
    repeats=1,
    latency_limit_ms=1000.0,
    server_percentile=90.0,
    server_probe_s=0.3,
    cell_limit_s=60,
    fit_limit_s=60,
)


def under_load(session: EndpointSession, texts: tuple[str, ...], tier: Tier, log_folder: Path) -> ServerTest:
    tokens = np.full(len(texts), 80)
    return ServerTest(session, texts, tokens, BatchBudget(None, 1), tier, 0, 90.0, log_folder, no_progress)


def test_llama_cpp_under_poisson_load(llama: Server, data: Dataset, folder: Path) -> None:
    """At one rate every request is answered, one at a time; whether in time is the machine's matter, not the code's."""
    spec = load_engines()["endpoint"].model_copy(update={"options": llama.options})
    session = EndpointBackend(spec, Workplace("cpu", 1, Path())).load(made("served-letters", data, folder, suffix=":"))
    texts = data.test.texts
    test = under_load(session, texts, LOAD.model_copy(update={"latency_limit_ms": 5000.0}), folder / "llama-load")
    test.probe(1.0)
    session.close()
    [point] = test.points
    assert point.failed_requests == session.clock.unanswered == 0
    assert point.target_rps == 1.0
    if not point.saturated:  # where it is, requests waited so long that the rest was left alone: no figures
        assert point.queries >= 10
        assert point.batch_mean == 1
        assert (point.limited_ms or 0) > (point.p50_ms or 0) > 0


# vLLM's attention for CPUs wants heads of 32 at least, which the other tests' tiny models have not
WIDE = TINY | {"hidden_size": 64, "num_attention_heads": 2}


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Classifier]]:
    """A classifier and vLLM that serves it: its start takes longer than the tests of it together."""
    folder = tmp_path_factory.mktemp("pooled")
    torch.manual_seed(0)
    BertForSequenceClassification(BertConfig(**WIDE, num_labels=3)).save_pretrained(folder / "classifier")
    save_tokenizer(folder / "classifier")
    classifier = finish(folder / "classifier", "sequence")
    options = ("--runner", "pooling", "--max-model-len", str(MAX_LENGTH))
    with vllm_server(VLLM, folder / "classifier", folder, *options) as server:
        yield server, classifier


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed; BENCH_TEST_VLLM_PYTHON names another environment's")
def test_vllm_classifies_as_the_weights_do(pooled: tuple[Server, Classifier]) -> None:
    server, classifier = pooled
    texts = tiny_texts(40)
    expected, served = eager(classifier, texts), through(server, classifier, texts, texts_per_request=4)
    assert served.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(served.probabilities, expected.probabilities, atol=1e-4)
    assert served.token_counts.tolist() == expected.token_counts.tolist()


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed; BENCH_TEST_VLLM_PYTHON names another environment's")
def test_vllm_under_poisson_load(pooled: tuple[Server, Classifier], tmp_path: Path) -> None:
    """A rate that a machine with nothing else to do bears, in a confirmation, and one that nobody bears."""
    server, classifier = pooled
    spec = load_engines()["endpoint"].model_copy(update={"options": {**server.options, "concurrency": 8}})
    session = EndpointBackend(spec, Workplace("cpu", 1, Path())).load(classifier)
    test = under_load(session, tuple(tiny_texts(40)), LOAD, tmp_path / "log")
    test.confirm(10.0)
    assert not test.probe(5000.0).held
    session.close()
    bears, drowns = test.points
    assert bears.failed_requests == drowns.failed_requests == session.clock.unanswered == 0
    assert drowns.saturated
    if not bears.saturated:
        assert bears.queries >= 64
        assert len(test.confirmations[0].latencies_ns) == bears.queries


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed; BENCH_TEST_VLLM_PYTHON names another environment's")
def test_vllm_scores_and_writes_as_the_weights_do(tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = tmp_path / "model"
    LlamaForCausalLM(LlamaConfig(**WIDE, head_dim=32, num_key_value_heads=2)).save_pretrained(folder)
    save_tokenizer(folder, special=False)
    prompt = {"before": "topic about ", "after": " topic :"}
    answers: dict[str, Any] = {"label_token_ids": [[20], [21, 22], [21, 23, 24]], "normalisation": "sum"}
    words = {"answers": CLASS_NAMES, "answer_kind": "words", "max_new_tokens": 6, "think_tokens": 4}
    scored = finish(folder, "options", **prompt, **answers)
    texts = tiny_texts(24)
    expected = eager(scored, texts)
    with vllm_server(VLLM, folder, tmp_path, "--max-model-len", "64") as server:
        served = through(server, scored, texts, texts_per_request=4)
        written = through(server, finish(folder, "generate", **prompt, **words), texts)
    assert served.labels.tolist() == expected.labels.tolist()
    np.testing.assert_allclose(served.probabilities, expected.probabilities, atol=1e-4)
    assert written.labels.tolist() == eager(finish(folder, "generate", **prompt, **words), texts).labels.tolist()


@pytest.mark.skipif(not HAS_VLLM, reason="vLLM is not installed; BENCH_TEST_VLLM_PYTHON names another environment's")
def test_vllm_keeps_to_the_permitted_answers(tmp_path: Path) -> None:
    """By the field that its API has for a choice, as the weights' own mask does."""
    classifier = constrained(tmp_path / "model")
    texts = tiny_texts(12)
    expected = eager(classifier, texts)
    with vllm_server(VLLM, classifier.path, tmp_path, "--max-model-len", "128") as server:
        served = through(server, classifier, texts)
    assert served.labels.tolist() == expected.labels.tolist()
    assert served.endings is not None
    assert set(served.endings.tolist()) == {Ending.WHOLE}
