"""What reaches a terminal: no control characters of strangers, and no exception where letters are missing."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from bench.machine.terminal import make_streams_safe, print_json, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text", "plain text"),
        ("two\nlines\tand  spaces", "two lines and spaces"),
        ("\x1b]0;owned\x07\x1b[31mred", "\\x1b]0;owned\\x07\\x1b[31mred"),
        ("\u202eright to left", "\\u202eright to left"),
        ("csi \x9b31m, nel \x85", "csi \\x9b31m, nel \\x85"),
        ("a lone \ud800 surrogate", "a lone \\ud800 surrogate"),
        ("中文 ± é 👩\u200d💻", "中文 ± é 👩\u200d💻"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_every_text_can_be_printed_in_every_encoding(encoding: str) -> None:
    code = (
        "from bench.machine.terminal import make_streams_safe; import sys; make_streams_safe()\n"
        "print('0.913 \\u00b10.006 \\u2026 \\u4e2d'); print('\\u4e2d', file=sys.stderr)"
    )
    env = os.environ | {"PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=env, check=True)
    text = done.stdout.decode(encoding)
    assert "0.913" in text
    assert "0.006" in text
    assert ("\\u4e2d" in text) == (encoding != "utf-8")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_holds_the_same_data_in_every_encoding(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    content = {"class": "A\u2013B \u00e9 \u4e2d \U0001f600", "f1": "0.9 \u00b1 0.1"}
    pipe = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(pipe, encoding=encoding))
    make_streams_safe()
    print_json(content)
    sys.stdout.flush()
    assert json.loads(pipe.getvalue().decode(encoding)) == content
