"""Texts without padding: eager's answers, whatever stands beside whom in a batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_architectures import build, tiny_architecture
from tiny_classifiers import CLASSIFIERS, finish, sequence_relu, tiny_texts
from tiny_models import tiny_llama
from torch.nn import functional

from backends.eager import EagerBackend
from backends.unpadded.engine import UnpaddedBackend
from backends.unpadded.ragged import Ragged, attend, lay_out
from backends.unpadded.session import UnpaddedSession
from bench.errors import NotAvailable
from bench.plan.engines import load_engines
from bench.types import Classifier, EngineSpec, Workplace

pytestmark = pytest.mark.kernels


def spec(**options: object) -> EngineSpec:
    """fp32, so that answers can be compared closely; token budgets so small that texts share batches and do not."""
    return EngineSpec(
        name="unpadded", title="unpadded", backend="unpadded", precision="fp32", options={"token_budget": 64, **options}
    )


def options_letters(folder: Path, prefix: tuple[int, ...] = ()) -> Classifier:
    """Answers of one token; `prefix` is what every prompt starts with."""
    tiny_llama(folder)
    before = " ".join(["topic about"] * 5) + " "
    return finish(
        folder,
        "options",
        64,
        label_token_ids=[[20], [21], [22]],
        normalisation="calibrated",
        content_free=[-0.5, 0.25, 0.0],
        before=before,
        after=" topic :",
        prefix_ids=list(prefix),
    )


def prefix_of(classifier: Classifier) -> tuple[int, ...]:
    from bench.text.tokens import load_tokenizer

    ids = load_tokenizer(classifier).encode(tiny_texts(8)).ids
    return tuple(ids[0][:9])


MADE = {
    **{name: CLASSIFIERS[name] for name in ("sequence-bert", "sequence-roberta", "embedding-mean", "embedding-cls")},
    "options": options_letters,
    "options-prefix": lambda folder: options_letters(folder, prefix_of(options_letters(folder / "first"))),
    "qwen3-linear": lambda folder: build(folder, "linear", tiny_architecture(folder / "base")),
    "qwen3-embedding": lambda folder: build(folder, "embedding", tiny_architecture(folder / "base")),
}


@pytest.mark.parametrize("name", sorted(MADE))
def test_unpadded_equals_eager(name: str, tmp_path: Path) -> None:
    classifier = MADE[name](tmp_path)
    texts = [*tiny_texts(40), "", "topic"]
    expected = EagerBackend(load_engines()["eager"], Workplace("cpu", 1, tmp_path)).load(classifier).predict(texts)
    session = UnpaddedBackend(spec(), Workplace("cpu", 1, tmp_path)).load(classifier)
    for chosen in (texts, texts[::-1], texts[:1], []):
        prediction = session.predict(chosen)
        rows = [texts.index(text) for text in chosen]
        np.testing.assert_allclose(prediction.probabilities, expected.probabilities[rows], atol=2e-6)
        np.testing.assert_array_equal(prediction.token_counts, expected.token_counts[rows])
    assert session.clock.padded_tokens == session.clock.real_tokens > 0


def test_a_prefix_is_computed_once(tmp_path: Path) -> None:
    """Its tokens are no work of a batch; a prompt that starts otherwise is computed whole."""
    classifier = MADE["options-prefix"](tmp_path)
    session = UnpaddedBackend(spec(), Workplace("cpu", 1, tmp_path)).load(classifier)
    assert isinstance(session, UnpaddedSession)
    forward = session._open_forward()
    assert forward.known == 9
    rows = np.arange(2)
    prompts = [[*forward.unpadded.prefix_ids, 5, 6, 7], [*forward.unpadded.prefix_ids, 8]]
    array, layout = lay_out(prompts, rows, "last", known=9)
    assert layout.tokens == 4
    kept = forward(array, layout)
    whole = forward(*lay_out(prompts, rows, "last"))
    np.testing.assert_allclose(kept, whole, atol=1e-5)
    assert session._known(forward, prompts, rows) == 9
    assert session._known(forward, [*prompts, [1, 2, 3]], np.arange(3)) == 0


@pytest.mark.parametrize("causal", [True, False])
def test_attention_sees_its_own_text_only(causal: bool) -> None:
    """Against attention over one text at a time, with grouped heads and a prefix of two keys that all see."""
    torch.manual_seed(0)
    lengths, known = [3, 1, 5], 2
    array, layout = lay_out([[0] * (known + length) for length in lengths], np.arange(3), "last", known)
    batch = Ragged.of(torch.from_numpy(array), layout)
    query, key, value = torch.randn(9, 4, 8), torch.randn(11, 2, 8), torch.randn(11, 2, 8)
    keys, values = (part.index_select(0, batch.keys_at) for part in (key, value))
    attended = attend(query, keys, values, batch.starts, batch.key_starts, 64, 64, 0.3, causal)
    begin = 0
    for length in lengths:
        end = begin + length
        seen = [0, 1, *range(known + begin, known + end)]
        sight = torch.ones(length, known + length, dtype=torch.bool)
        one = functional.scaled_dot_product_attention(
            query[begin:end].transpose(0, 1),
            key[seen].transpose(0, 1).repeat_interleave(2, dim=0),
            value[seen].transpose(0, 1).repeat_interleave(2, dim=0),
            attn_mask=sight.tril(known) if causal else sight,
            scale=0.3,
        )
        torch.testing.assert_close(attended[begin:end], one.transpose(0, 1))
        begin = end


def test_a_layout_filled_up_is_the_same_for_every_length() -> None:
    """What lets a text take the graph that another was recorded for."""
    for fill in range(16, 513, 16):
        layouts = {
            lay_out([[7] * tokens], np.zeros(1, dtype=int), "first", fill=fill)[1]
            for tokens in range(fill - 15, fill + 1)
        }
        assert len(layouts) == 1, fill
        [layout] = layouts
        assert layout.tokens == fill
        assert layout.longest >= fill


@pytest.mark.parametrize(
    ("name", "reason"),
    [("sequence-gpt2", "not gpt2"), ("sequence-relu", "has relu"), ("options-llama", "one token each")],
)
def test_what_it_would_answer_otherwise_is_refused(name: str, reason: str, tmp_path: Path) -> None:
    classifier = {**CLASSIFIERS, "sequence-relu": sequence_relu}[name](tmp_path)
    with pytest.raises(NotAvailable, match=reason):
        UnpaddedBackend(spec(), Workplace("cpu", 1, tmp_path)).load(classifier)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sequence-bert", "options-prefix"])
def test_compiled_layers_and_replays_keep_the_answers(name: str, tmp_path: Path) -> None:
    """One graph for all layers; every length afterwards compiles nothing."""
    classifier = MADE[name](tmp_path)
    texts = [*tiny_texts(60), "", "topic"]
    expected = EagerBackend(load_engines()["eager"], Workplace("cpu", 1, tmp_path)).load(classifier).predict(texts)
    session = UnpaddedBackend(spec(compile=True), Workplace("cpu", 1, tmp_path)).load(classifier)
    before = session.recompiles()
    assert before is not None
    for chosen in (texts, *([text] for text in texts)):
        prediction = session.predict(chosen)
        rows = [texts.index(text) for text in chosen]
        np.testing.assert_allclose(prediction.probabilities, expected.probabilities[rows], atol=1e-5)
    assert session.recompiles() == before
