"""HTTP to an OpenAI-compatible server: retries, timeouts, and a count of everything that was not answered well."""

from __future__ import annotations

import json
import random
import sys
import threading
import uuid
from collections import Counter
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, TypeVar

import httpx2

from backends.endpoint.options import EndpointOptions
from bench.errors import EndpointFailed

GIVE_UP_AFTER = 5  # requests in a row without an answer, each after its retries: the server is gone
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
SHOWN_CHARACTERS = 200
NO_SUCH_LIST = (404, 405, 501)

Answer = TypeVar("Answer")


class EndpointClient:
    """One connection pool; safe to be used by as many threads as requests may be in flight.

    No connection, a lost one, HTTP 408, 429 and 5xx are tried again with growing pauses (or the server's Retry-After).
    Timeouts and answers that cannot be read are not: a request that was once too slow is a failure. All are counted.
    """

    def __init__(self, options: EndpointOptions, key: str | None) -> None:
        self.options = options
        self._key = key
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx2.Timeout(options.read_timeout_s, connect=options.connect_timeout_s, pool=None),
            limits=httpx2.Limits(max_connections=options.concurrency, max_keepalive_connections=options.concurrency),
        )
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failed: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._in_a_row = 0
        self._last_words = ""
        self._owner = ""

    @property
    def gave_up(self) -> bool:
        """Whether so many requests in a row failed that no more are sent."""
        return self._stop.is_set()

    def why(self) -> str:
        """What failed since the client was made, and the server's last words about it."""
        reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(self._total.items()))
        return f"{reasons}; it said: {self._last_words}" if self._last_words else reasons

    def take_failures(self) -> dict[str, int]:
        """Failed requests by reason since the last call."""
        with self._lock:
            taken, self._failed = dict(self._failed), Counter()
        return taken

    def close(self) -> None:
        """Close all connections."""
        self._stop.set()
        self._client.close()

    def check_model(self) -> None:
        """Ask for the list of models; raises EndpointFailed when the server is down, refuses, or has no such model."""
        listed = self._send("GET", f"{self.options.url}/models", None, _model_owners)
        if listed is None:
            raise EndpointFailed(f"{self.options.url} does not answer ({self.why()}); is the server running?")
        model = self.options.model
        self._owner = listed.get(model) or ""
        if listed and not {model, f"{model}:latest"} & set(listed):
            near = get_close_matches(model, listed, n=3, cutoff=0.3) or list(listed)[:3]
            raise EndpointFailed(f"{self.options.url} has no model '{model}'; it serves {', '.join(near)}")

    def look_up(self, url: str) -> dict[str, Any]:
        """What the server says of itself there, {} where it has no such page; raises EndpointFailed when it is down."""
        said = self._send("GET", url, None, dict)
        if said is None:
            raise EndpointFailed(f"{url} does not answer ({self.why()}); is the server running?")
        return said

    def post(self, url: str, body: dict[str, Any], read: Callable[[Any], Answer]) -> Answer | None:
        """What `read` makes of the JSON answer; None when there is none in the end.

        Raises EndpointFailed for what would fail for every text alike: a refused key, an unknown address or model.
        """
        body = {"model": self.options.model, **self._without_cache(), **body, **self.options.body}
        return self._send("POST", url, {name: body[name] for name in body if name not in self.options.omit}, read)

    def _without_cache(self) -> dict[str, Any]:
        """A timed run repeats its texts: no answer may come from a server's cache of earlier requests' prompts."""
        if self._owner == "llamacpp":
            return {"cache_prompt": False}
        return {"cache_salt": uuid.uuid4().hex} if self._owner == "vllm" else {}

    def _send(self, method: str, url: str, body: dict[str, Any] | None, read: Callable[[Any], Answer]) -> Answer | None:
        for attempt in range(self.options.retries + 1):
            if self.gave_up:
                return None
            pause_s = FIRST_BACKOFF_S * 2**attempt * random.uniform(0.75, 1.25)
            try:
                response = self._client.request(method, url, json=body)
            except httpx2.TransportError as error:
                reason = _transport_failure(error, self.options)
                again = not isinstance(error, httpx2.ReadTimeout | httpx2.WriteTimeout)
            else:
                if response.is_success:
                    return self._read(response, read)
                if method == "GET" and response.status_code in NO_SUCH_LIST:
                    return read({"data": []})
                self._refuse(response, url)
                reason = f"HTTP {response.status_code}"
                again = response.status_code in (408, 429) or response.status_code >= 500
                pause_s = _retry_after_s(response) or pause_s
            self._count(reason)
            if not again:
                break
            if attempt < self.options.retries:
                self._stop.wait(min(pause_s, LONGEST_BACKOFF_S))
        self._unanswered()
        return None

    def _read(self, response: httpx2.Response, read: Callable[[Any], Answer]) -> Answer | None:
        try:
            answer = read(response.json())
        except ValueError as error:  # no JSON is a ValueError too
            self._say(f"{error}: {response.text}")
            self._count("unreadable answer")
        except (KeyError, IndexError, TypeError, AttributeError):
            self._say(response.text)
            self._count("unreadable answer")
        else:
            with self._lock:
                self._in_a_row = 0
            return answer
        self._unanswered()
        return None

    def _refuse(self, response: httpx2.Response, url: str) -> None:
        """Raise for what no other text would change; a body after a refused key may repeat the key."""
        code = response.status_code
        if code in (401, 403):
            variable = self.options.key_env
            advice = f"it refuses the key in {variable}" if variable else "name the key's variable: --endpoint-key-env"
            self._stop.set()
            raise EndpointFailed(f"{self.options.url} wants another key (HTTP {code}); {advice}")
        self._say(_message(response))
        if code == 404 or response.is_redirect:
            self._stop.set()
            raise EndpointFailed(f"{url} is no address of this server (HTTP {code}): {self._last_words}")

    def _say(self, words: str) -> None:
        """Keep the server's words, without the key, for the reason of the row; the log has them all."""
        words = words.replace(self._key, "***") if self._key else words
        self._last_words = " ".join(words.split())[:SHOWN_CHARACTERS]
        sys.stderr.write(f"endpoint: {self._last_words}\n")

    def _count(self, reason: str) -> None:
        with self._lock:
            self._failed[reason] += 1
            self._total[reason] += 1

    def _unanswered(self) -> None:
        with self._lock:
            self._in_a_row += 1
            if self._in_a_row >= GIVE_UP_AFTER:
                self._stop.set()


def _model_owners(answer: Any) -> dict[str, str | None]:
    """Every name of a model, and which software says that it serves it."""
    return {
        name: model.get("owned_by") for model in answer["data"] for name in (model["id"], *(model.get("aliases") or ()))
    }


def _transport_failure(error: httpx2.TransportError, options: EndpointOptions) -> str:
    """One name a cause, so that they can be counted; the library's own words may hold addresses of proxies."""
    if isinstance(error, httpx2.ConnectTimeout):
        return f"no connection within {options.connect_timeout_s:g} s"
    if isinstance(error, httpx2.TimeoutException):
        return f"no answer within {options.read_timeout_s:g} s"
    if isinstance(error, httpx2.ConnectError):
        return "no connection"
    return "connection lost"


def _retry_after_s(response: httpx2.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None


def _message(response: httpx2.Response) -> str:
    """What the server says went wrong: OpenAI's form, vLLM's, or the plain body."""
    try:
        content = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return response.text
    error = content.get("error", content) if isinstance(content, dict) else content
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)
