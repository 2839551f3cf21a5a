"""Speaks HTTP to an OpenAI-compatible server: retries, timeouts, and a count of all that was not answered well."""

from __future__ import annotations

import json
import random
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import httpx2

from backends.endpoint.options import EndpointOptions
from backends.endpoint.redaction import redact
from backends.endpoint.transport import LOST, MEBIBYTE, Response, Transport, UnreadableAnswer
from bench.errors import EndpointFailed

GIVE_UP_AFTER = 5  # requests in a row without an answer, each after its retries: the server is gone
REFUSED_AT_FIRST = 32  # texts before any answer: it is not the texts that the server refuses
FIRST_BACKOFF_S = 0.5
LONGEST_BACKOFF_S = 30.0
LONGEST_WAITING_S = 300.0  # in all for one request, where the server says when to come again
SHOWN_CHARACTERS = 200
ANSWER_BYTES = 8 * MEBIBYTE
NO_LIST = (403, 404, 405, 501)
UNREADABLE = "unreadable answer"

Answer = TypeVar("Answer")


class TextRefused(Exception):
    """The server will not answer this text (a content filter, too long), however often it is asked."""


class EndpointClient:
    """One connection pool; safe to be used by as many threads as requests may be in flight.

    No connection, a lost one, HTTP 408, 429 and 5xx are tried again: a lost connection at once, the others with growing
    pauses, or when the server's Retry-After says, which all requests wait for. Timeouts and answers that cannot be read
    are not: a request that was once too slow is a failure. All are counted.
    """

    def __init__(self, options: EndpointOptions, key: str | None) -> None:
        self.options = options
        self._key = key
        self._transport = Transport(options, key)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._failed: Counter[str] = Counter()
        self._retried: Counter[str] = Counter()
        self._total: Counter[str] = Counter()
        self._answered = self._refused = self._in_a_row = 0
        self._resume_at = 0.0
        self._last_words = ""
        self.owner = ""

    @property
    def gave_up(self) -> bool:
        """Whether so many requests in a row failed that no more are sent."""
        return self._stop.is_set()

    def why(self) -> str:
        """What failed since the client was made, and the server's last words about it."""
        reasons = ", ".join(f"{reason}: {count}" for reason, count in sorted(self._total.items()))
        return f"{reasons}; it said: {self._last_words}" if self._last_words else reasons

    def take_counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Tries by reason since the last call: of requests that failed in the end, and of those answered later."""
        with self._lock:
            failed, self._failed = dict(self._failed), Counter()
            retried, self._retried = dict(self._retried), Counter()
        return failed, retried

    def close(self) -> None:
        """Close all connections."""
        self._stop.set()
        self._transport.close()

    def check_model(self) -> None:
        """Ask for the list of models; raises EndpointFailed when the server is down, refuses, or has no such model.

        A server whose list is missing or odd may answer all the same: asking shows.
        """
        listed = self._send("GET", f"{self.options.url}/models", None, _model_owners)
        if listed is None and not self._last_words:
            self._raise_unreachable(self.options.url)
        self.take_counts()
        self._total.clear()
        self._in_a_row, self._last_words = 0, ""
        listed = listed or {}
        model = self.options.model
        self.owner = listed.get(model) or ""
        if listed and not any(fnmatchcase(name, pattern) for name in (model, f"{model}:latest") for pattern in listed):
            near = get_close_matches(model, listed, n=3, cutoff=0.3) or list(listed)[:3]
            raise EndpointFailed(self.redact(f"{self.options.url} has no model '{model}'; it serves {', '.join(near)}"))

    def look_up(self, url: str) -> dict[str, Any]:
        """What the server says of itself there, {} where it has no such page; raises EndpointFailed when it is down."""
        said = self._send("GET", url, None, dict)
        if said is None:
            self._raise_unreachable(url)
            raise EndpointFailed(f"{url} does not answer ({self.why()}); is the server running?")
        return said

    def post(
        self, url: str, body: dict[str, Any], read: Callable[[Any], Answer], most_bytes: int = ANSWER_BYTES
    ) -> Answer | None:
        """What `read` makes of the JSON answer; None when there is none in the end.

        Raises TextRefused for a text that gets no answer, EndpointFailed for what would fail for every text alike: a
        refused key, an unknown address or model.
        """
        body = {"model": self.options.model, **self._without_cache(), **body, **self.options.body}
        sent = {name: body[name] for name in body if name not in self.options.omit}
        return self._send("POST", url, sent, read, most_bytes=most_bytes)

    def redact(self, words: str) -> str:
        """The words on one line, without the key in any spelling and without control characters."""
        printable = "".join(character if character.isprintable() else " " for character in words)
        return redact(" ".join(printable.split()), self._key)

    def _without_cache(self) -> dict[str, Any]:
        """A timed run repeats its texts: no answer may come from a server's cache of earlier requests' prompts."""
        if self.owner == "llamacpp":
            return {"cache_prompt": False}
        return {"cache_salt": uuid.uuid4().hex} if self.owner == "vllm" else {}

    def _send(
        self,
        method: str,
        url: str,
        body: dict[str, Any] | None,
        read: Callable[[Any], Answer],
        most_bytes: int = ANSWER_BYTES,
    ) -> Answer | None:
        left = self.options.retries + 1
        reasons: list[str] = []
        waited_s = 0.0
        while not self.gave_up:
            self._stop.wait(max(0.0, self._resume_at - time.monotonic()))
            try:
                response = self._transport.send(method, url, body, most_bytes)
            except UnreadableAnswer as error:
                self._say(str(error))
                reasons.append(UNREADABLE)
                break
            except httpx2.TransportError as error:
                reason, again = self._transport.failure(error)
                pause_s = 0.0 if reason == LOST and not reasons else self._backoff_s(len(reasons))
            else:
                if response.ok:
                    return self._read(method, response, read, reasons)
                if method == "GET" and (response.status in NO_LIST or 300 <= response.status < 400):
                    return read({"data": []})
                self._refuse(response, url, method)
                reason = f"HTTP {response.status}"
                again = response.status in (408, 429) or response.status >= 500
                told_s = _retry_after_s(response)
                pause_s = self._backoff_s(len(reasons)) if told_s is None else told_s
                if told_s is not None and response.status == 429 and waited_s + told_s <= LONGEST_WAITING_S:
                    left += 1
                    waited_s += told_s
                    self._hold_back(told_s)
            reasons.append(reason)
            left -= 1
            if not again or left <= 0:
                break
            self._stop.wait(min(pause_s, LONGEST_BACKOFF_S))
        self._unanswered(reasons)
        return None

    def _backoff_s(self, failed: int) -> float:
        return float(FIRST_BACKOFF_S * 2 ** min(failed, 10) * random.uniform(0.75, 1.25))

    def _hold_back(self, pause_s: float) -> None:
        """Let every request wait: one that is sent meanwhile would be refused as well."""
        with self._lock:
            self._resume_at = max(self._resume_at, time.monotonic() + min(pause_s, LONGEST_BACKOFF_S))

    def _read(
        self, method: str, response: Response, read: Callable[[Any], Answer], reasons: Sequence[str]
    ) -> Answer | None:
        try:
            answer = read(json.loads(response.content))
        except EndpointFailed as error:
            raise EndpointFailed(self.redact(str(error))) from None
        except RecursionError:
            self._say("it is nested too deeply")
        except (ValueError, OverflowError) as error:  # no JSON and no UTF-8 are ValueErrors too
            self._say(f"{error}: {response.text[:1000]}")
        except (KeyError, IndexError, TypeError, AttributeError):
            self._say(response.text[:1000])
        else:
            with self._lock:
                self._in_a_row = 0
                self._answered += method == "POST"
                self._retried.update(reasons)
            return answer
        self._unanswered([*reasons, UNREADABLE])
        return None

    def _refuse(self, response: Response, url: str, method: str) -> None:
        """Raise for what no other text would change, and for what no other try would."""
        code = response.status
        if code == 401 or (code == 403 and not self._answered):
            variable = self.options.key_env
            advice = f"it refuses the key in {variable}" if variable else "name the key's variable: --endpoint-key-env"
            self._stop.set()
            raise EndpointFailed(f"{self.options.url} wants another key (HTTP {code}); {advice}")
        self._say(_message(response))
        if 300 <= code < 400:
            self._stop.set()
            place = self.redact(response.headers.get("location", ""))[:SHOWN_CHARACTERS] or "nowhere"
            raise EndpointFailed(f"{url} redirects to {place} (HTTP {code}), which is not followed: name the address")
        if code in (402, 404, 405):
            self._stop.set()
            what = "wants to be paid first" if code == 402 else "is no address of this server"
            raise EndpointFailed(f"{url} {what} (HTTP {code}): {self._last_words}")
        if method == "POST" and 400 <= code < 500 and code not in (408, 429):
            with self._lock:
                self._refused += 1
                self._total[f"HTTP {code}"] += 1
                if not self._answered and self._refused >= REFUSED_AT_FIRST:
                    self._stop.set()
            raise TextRefused(f"HTTP {code}: {self._last_words}")

    def check_answered(self) -> None:
        """Raise EndpointFailed where every text so far was refused: then it is the request that the server refuses."""
        if self._refused and not self._answered:
            raise EndpointFailed(f"{self.options.url} refuses every text; {self.why()}")

    def _raise_unreachable(self, url: str) -> None:
        if self._transport.speaks_tls():
            raise EndpointFailed(f"{url} speaks TLS; ask it with https://")
        raise EndpointFailed(f"{url} does not answer ({self.why()}); is the server running?")

    def _say(self, words: str) -> None:
        """Keep the server's words, without the key, for the reason of the row; the log has them all."""
        self._last_words = self.redact(words)[:SHOWN_CHARACTERS]
        sys.stderr.write(f"endpoint: {self._last_words}\n")

    def _unanswered(self, reasons: Sequence[str]) -> None:
        with self._lock:
            self._failed.update(reasons)
            self._total.update(reasons)
            self._in_a_row += 1
            if self._in_a_row >= GIVE_UP_AFTER:
                self._stop.set()


def _model_owners(answer: Any) -> dict[str, str | None]:
    """Every name of a model, and which software says that it serves it; of OpenAI's list or a plain one."""
    if isinstance(answer, dict):
        answer = answer.get("data") or answer.get("models")
    owners: dict[str, str | None] = {}
    for model in answer or ():
        entry = model if isinstance(model, dict) else {"id": model}
        names = (entry.get("id") or entry.get("name") or entry.get("model"), *(entry.get("aliases") or ()))
        owner = entry.get("owned_by")
        owners |= {name: owner if isinstance(owner, str) else None for name in names if isinstance(name, str)}
    return owners


def _retry_after_s(response: Response) -> float | None:
    """Seconds that the server asks for, as a number or as the date when to come again."""
    value = response.headers.get("retry-after", "").strip()
    try:
        return max(0.0, float(value)) if value[:1].isdigit() else _until_s(value)
    except (ValueError, TypeError, OverflowError):
        return None


def _until_s(date: str) -> float | None:
    return max(0.0, parsedate_to_datetime(date).timestamp() - time.time()) if date else None


def _message(response: Response) -> str:
    """What the server says went wrong: OpenAI's form, vLLM's, or the plain body."""
    try:
        content = json.loads(response.content)
    except (ValueError, RecursionError):
        return response.text[:1000]
    error = content.get("error", content) if isinstance(content, dict) else content
    if isinstance(error, dict):
        error = error.get("message") or error.get("detail") or error
    return str(error)[:1000]
