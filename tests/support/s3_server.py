"""Starts an S3 server on loopback, moto's in a process of its own, with one empty bucket."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

# A process of its own: vLLM looks through every module that is loaded, and flask's cannot be looked at
SERVE = """
import sys
from moto.server import ThreadedMotoServer
port = 0
for line in sys.stdin:
    if line == "start\\n":
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        server.start()
        port = server.get_host_and_port()[1]
    else:
        server.stop()
    print(port, flush=True)
"""


@dataclass(frozen=True)
class S3Server:
    """An S3 server that can be away and come back with what it held."""

    bucket: str
    process: subprocess.Popen[str]

    def ask(self, what: str) -> int:
        """Start or stop it; returns its port."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{what}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """The server, while the environment leads to it."""
    s3fs = pytest.importorskip("s3fs")
    command = [sys.executable, "-c", SERVE]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        server = S3Server(f"s3://bench-{secrets.token_hex(8)}", process)
        port = server.ask("start")
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem().mkdir(server.bucket)
        try:
            yield server
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            process.kill()
