"""Makes a server an engine: any OpenAI-compatible one (vLLM, llama.cpp, Ollama, a hosted one), or TEI."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import TYPE_CHECKING

from backends.endpoint.options import EndpointOptions, read_endpoint, read_key
from bench.types import REMOTE, Availability, Backend, Classifier, EngineSpec, SessionInfo

if TYPE_CHECKING:
    from backends.endpoint.session import Asker, EndpointSession

VERSION_OF = "httpx2"


class EndpointBackend(Backend):
    """Asks the server as each kind of classifier wants: /classify, next-token logprobs, or a written answer.

    A classifier with weights here is asked in its own token ids, so that both read the same. One of kind `served` has
    none: its prompt and how its answer is read are all there is.
    """

    kinds = frozenset({"sequence", "options", "generate", "served"})

    @staticmethod
    def availability(spec: EngineSpec, device: str) -> Availability:  # noqa: ARG004 - one signature for all backends
        """Needs an address; raises UsageError for wrong options or an unset key variable. Asks no server."""
        from importlib.metadata import version

        if "url" not in spec.options:
            return Availability(
                ok=False,
                version=version(VERSION_OF),
                reason="no server named",
                remedy="bench run --endpoint URL --endpoint-model NAME ...",
            )
        read_key(read_endpoint(spec))
        return Availability(ok=True, version=version(VERSION_OF))

    def load(self, classifier: Classifier) -> EndpointSession:
        """Check that the server answers and has the model; raises EndpointFailed when not."""
        from importlib.metadata import version

        from backends.endpoint.client import EndpointClient
        from backends.endpoint.session import EndpointSession

        started = perf_counter()
        options = read_endpoint(self.spec)
        client = EndpointClient(options, read_key(options))
        try:
            asker = _asker(classifier, options)(classifier, options)
            asker.check(client)
        except BaseException:
            client.close()
            raise
        info = SessionInfo(
            load_s=perf_counter() - started,
            precision=self.spec.precision,
            device=REMOTE,
            concurrency=options.concurrency,
            details={
                "url": options.url,
                "model": options.model,
                "protocol": options.protocol,
                "concurrency": options.concurrency,
                "texts_per_request": options.texts_per_request or asker.texts_per_request,
                "read_timeout_s": options.read_timeout_s,
                "retries": options.retries,
                "body": options.body,
                VERSION_OF: version(VERSION_OF),
            },
        )
        return EndpointSession(asker, client, len(classifier.class_names), info)


def _asker(classifier: Classifier, options: EndpointOptions) -> Callable[[Classifier, EndpointOptions], Asker]:
    from backends.endpoint import served as endpoint_served
    from backends.endpoint import tei as endpoint_tei
    from backends.endpoint import weights as endpoint_weights

    if options.protocol == "tei":
        return endpoint_tei.TeiAsker
    if classifier.kind == "served":
        return endpoint_served.asker_for(classifier)
    return endpoint_weights.ASKERS[classifier.kind]
