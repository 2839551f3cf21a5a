"""`bench run --executor ray` on two real Ray nodes: the rows of one machine, and what a node is refused for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from own_data_runs import own_data, run

from bench.errors import NotComparable, UsageError
from bench.execution.ray_crew import Place, places_of
from bench.execution.sharded import identity_of, refuse_unlike
from bench.machine.sole_use import FOLDER
from bench.plan.plan import make_plan
from bench.plan.request import RunRequest
from bench.results.records import StoredRun
from bench.results.store import open_run

STORE_BYTES = 80_000_000


@pytest.fixture
def two_nodes(tmp_path: Path) -> Iterator[str]:
    """The address of a Ray of two raylets with ports, caches and locks' folder of their own."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    common = {"BENCH_CALIBRATION": "off", FOLDER: str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    cluster = Cluster()
    try:
        for node in ("a", "b"):
            env = common | {"BENCH_CACHE": str(tmp_path / f"cache-{node}")}
            cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES, include_dashboard=False, env_vars=env)
        yield cluster.address
    finally:
        cluster.shutdown()


def answers(stored: StoredRun) -> list[np.ndarray]:
    return [stored.answers[row.cell.id].prediction.probabilities for row in stored.results]


@pytest.mark.slow
def test_two_nodes_end_as_one_machine_does(tmp_path: Path, two_nodes: str) -> None:
    env = {"BENCH_CALIBRATION": "off", FOLDER: str(tmp_path)}
    common = ("--data", str(own_data(tmp_path)), "--methods", "tfidf", "--seeds", "2", "--tier", "sample")
    alone, out = tmp_path / "alone", tmp_path / "run"
    driver = {"BENCH_CACHE": str(tmp_path / "cache-driver")}
    on_ray = ("--executor", "ray", "--ray-address", two_nodes)
    done = run(*common, "--out", str(out), *on_ray, **driver, **env)
    assert done.returncode == 0, done.stderr + "".join(log.read_text() for log in (out / "shards").glob("*.log"))
    assert "2 workers" in done.stderr
    assert not (tmp_path / "cache-driver" / "classifiers").exists(), "the driver trains nothing and fetches no weights"
    assert len(list((out / "shards").glob("*.log"))) == 2
    assert run(*common, "--out", str(alone), BENCH_CACHE=str(tmp_path / "cache-alone"), **env).returncode == 0
    whole, single = open_run(out), open_run(alone)
    assert [row.cell.id for row in whole.results] == [row.cell.id for row in single.results]
    for ours, theirs in zip(whole.results, single.results, strict=True):
        assert (ours.classifier_sha256, ours.quality) == (theirs.classifier_sha256, theirs.quality)
        assert ours.node in whole.environment["nodes"]
    assert all(map(np.array_equal, answers(whole), answers(single)))
    assert whole.environment["hardware_sha256"] == single.environment["hardware_sha256"]


def test_a_node_of_other_code_or_packages_is_refused(tmp_path: Path) -> None:
    plan = make_plan(RunRequest(data=own_data(tmp_path), methods=("tfidf",), device="cpu"), lambda *_: None)
    here = {name: identity_of(plan)[name] for name in ("packages", "code")}
    refuse_unlike(here, plan)
    with pytest.raises(NotComparable, match="other code than the driver"):
        refuse_unlike(here | {"code": "another"}, plan)
    other = {**here["packages"], "torch": "1.0"}
    with pytest.raises(NotComparable, match=r"packages \(torch 1\.0, here "):
        refuse_unlike(here | {"packages": other}, plan)


def test_a_worker_has_a_node_or_a_gpu_to_itself() -> None:
    nodes = [
        {"NodeID": "a", "Alive": True, "Resources": {"CPU": 64.0, "GPU": 2.0, "accelerator_type:H100": 1.0}},
        {"NodeID": "b", "Alive": True, "Resources": {"CPU": 32.0}},
        {"NodeID": "c", "Alive": False, "Resources": {"CPU": 8.0}},
        {"NodeID": "d", "Alive": True, "Resources": {"memory": 1.0}},
    ]
    assert places_of(nodes, "cpu", None) == [Place("a", 64.0, 0, 1), Place("b", 32.0, 0, 1)]
    assert places_of(nodes, "cuda", None) == [Place("a", 32.0, 1, 2)] * 2
    assert places_of(nodes, "cuda", "H100") == [Place("a", 32.0, 1, 2)] * 2
    with pytest.raises(UsageError, match="none of 4 nodes"):
        places_of(nodes, "cuda", "H200")
