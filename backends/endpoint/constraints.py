"""Tells a server which answers are permitted, in the way that it understands, and reads what it then wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from backends.endpoint.client import EndpointClient
from bench.classifiers.permitted_answers import FIELD, answer_grammar, answer_schema, most_tokens, read_permitted
from bench.classifiers.written_answers import Written
from bench.errors import EndpointFailed
from bench.types import Ending

BY_OWNER = {"vllm": "choice", "llamacpp": "grammar"}
JSON_ROOM = 64  # tokens around the answer in a JSON object, white space among them


class Constraint:
    """A list of permitted answers for one server.

    Raises EndpointFailed where the server takes no constraint on such requests, or does not keep to it.
    """

    def __init__(self, permitted: Sequence[str], client: EndpointClient, chat: bool) -> None:
        self.permitted = list(permitted)
        self._url = client.options.url
        self._way = client.options.constrain or BY_OWNER.get(client.owner, "json")
        if self._way == "json" and not chat:
            raise EndpointFailed(
                f"{self._url} does not say that it is vLLM or llama.cpp, and other servers constrain chats alone; set "
                "constrain = 'choice' or 'grammar' in the engine's options, or ask it with answers = 'words'"
            )

    @property
    def fields(self) -> dict[str, Any]:
        """What is added to a request; max_tokens leaves room for the longest answer."""
        if self._way == "choice":
            return {"max_tokens": most_tokens(self.permitted), "structured_outputs": {"choice": self.permitted}}
        if self._way == "grammar":
            return {"max_tokens": most_tokens(self.permitted), "grammar": answer_grammar(self.permitted)}
        schema = {"name": "answer", "strict": True, "schema": answer_schema(self.permitted)}
        longest = most_tokens(json.dumps(answer) for answer in self.permitted)
        return {"max_tokens": longest + JSON_ROOM, "response_format": {"type": "json_schema", "json_schema": schema}}

    def read(self, written: Written) -> tuple[int, Ending]:
        """The class, and how the answer ended; raises EndpointFailed for a whole answer that was not permitted."""
        label, ending = read_permitted(Written(self._answer(written.text), written.cut), self.permitted)
        if label < 0 and ending is Ending.WHOLE:
            raise EndpointFailed(
                f"{self._url} does not keep to the permitted answers ({self._way}): it wrote {written.text[:80]!r}; "
                "set constrain in the engine's options to what it understands, or ask it with answers = 'words'"
            )
        return label, ending

    def _answer(self, text: str) -> str:
        """What is in the JSON object, else the text as it is."""
        if self._way != "json":
            return text
        try:
            content = json.loads(text)
        except ValueError:
            return text
        return str(content.get(FIELD, text)) if isinstance(content, dict) else text
