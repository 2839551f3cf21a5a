"""Starts an S3 server on loopback, moto's, with one empty bucket."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def s3_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str, int]]:
    """The bucket's URL, its host and port, while the environment leads there."""
    s3fs, server_of = pytest.importorskip("s3fs"), pytest.importorskip("moto.server")
    server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    bucket = f"s3://bench-{secrets.token_hex(8)}"  # moto's buckets are those of the process, whatever server
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
        "NO_PROXY": host,
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir(bucket)
    try:
        yield bucket, host, port
    finally:
        s3fs.S3FileSystem.clear_instance_cache()
        server.stop()
