"""Serves classifiers in vLLM: token ids made by the harness in, answers of vLLM's scheduler out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from time import perf_counter
from typing import Any

from backends.vllm.model import DISTRIBUTIONS, close_model, refusal
from backends.vllm.tasks import Served, serve_generate, serve_options, serve_sequence
from bench.text.tokens import TextTokenizer, load_tokenizer
from bench.types import Backend, Classifier, Prediction, SessionInfo, StageClock

SERVE: dict[str, Callable[..., Served]] = {
    "sequence": serve_sequence,
    "options": serve_options,
    "generate": serve_generate,
}
FIRST_TEXTS = ("a first text", "another, of some more words")


def open_vllm(classifier: Classifier, engine: Backend) -> VllmSession:
    """Load and answer two texts, because what an attention kernel cannot do shows only then."""
    started = perf_counter()
    tokenizer = load_tokenizer(classifier)
    served = SERVE[classifier.kind](classifier, tokenizer, engine)
    info = SessionInfo(
        load_s=perf_counter() - started - served.convert_s,
        convert_s=served.convert_s,
        precision=engine.spec.precision,
        device=engine.device,
        threads=engine.threads,
        artifact_bytes=classifier.artifact_bytes,
        details={
            "vllm": version(DISTRIBUTIONS[engine.device]),
            "torch": version("torch"),
            "dtype": engine.spec.precision,
            **engine.spec.options,
            **served.details,
        },
    )
    session = VllmSession(served, tokenizer, info)
    try:
        session.predict(FIRST_TEXTS)
    except (RuntimeError, ValueError) as error:
        session.close()
        raise refusal(error) from error
    session.clock.reset()
    return session


class VllmSession:
    """Tokenise, hand all prompts to vLLM at once, read its answers; vLLM batches and pads nothing."""

    def __init__(self, served: Served, tokenizer: TextTokenizer, info: SessionInfo) -> None:
        self.clock = StageClock()
        self.info = info
        self._served: Served | None = served
        self._tokenizer = tokenizer

    def predict(self, texts: Sequence[str]) -> Prediction:
        """From raw strings to labels; any number of texts."""
        served = self._require_open()
        return self._predict(texts, served.compute, served.read)

    def predict_freely(self, texts: Sequence[str]) -> Prediction:
        """As `predict`, without the constraint that the classifier may have."""
        served = self._require_open()
        return self._predict(texts, *(served.freely or (served.compute, served.read)))

    def _require_open(self) -> Served:
        if self._served is None:
            raise RuntimeError("the session is closed")
        return self._served

    def _predict(self, texts: Sequence[str], compute: Callable[..., Any], read: Callable[..., Any]) -> Prediction:
        clock, started = self.clock, perf_counter()
        encoded = self._tokenizer.encode(texts)
        tokenised = perf_counter()
        outputs = compute(encoded.ids) if texts else []
        computed = perf_counter()
        probabilities, labels, *endings = read(outputs)
        lengths = encoded.lengths
        clock.tokenise_s += tokenised - started
        clock.forward_s += computed - tokenised
        clock.post_s += perf_counter() - computed
        clock.real_tokens += int(lengths.sum())
        clock.padded_tokens += int(lengths.sum())
        clock.batches += 1
        return Prediction(probabilities, labels, lengths, encoded.truncated, *endings)

    def token_sha256(self, texts: Sequence[str]) -> str | None:
        """Hash of the token ids the model reads for these texts."""
        return self._tokenizer.encode(texts).sha256

    def recompiles(self) -> int | None:
        """Nothing is compiled on a CPU; what vLLM compiles on a GPU it compiles before the first text."""
        return None

    def close(self) -> None:
        """Shut vLLM down."""
        if self._served is not None:
            close_model(self._served.llm)
            self._served = None
