"""Accuracy of the small models on real data, by the harness: runs its commands and puts their tables into one page.

    BENCH_DATA=DIR python benchmarks/accuracy.py [--only NAME,...] [--runs DIR] [--collect]

A run folder that is there already is not run again (`bench run` takes its results from it, where code and machine are
the same; --collect takes them in any case). About two and a half
hours on 2 cores; the networks of C1 take a third of that.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
from pathlib import Path

COMMON = "--tier standard --scenario offline --quiet"
ONE_THREAD = "--backends eager --scenario offline --threads 1 --quiet"
RUNS = {
    "agnews": f"--suite agnews --methods full-finetune --backends packed-bf16 {COMMON}",
    "weibo": f"--suite weibo --methods full-finetune --limit 8000 --backends packed-bf16 {COMMON}",
    "sst2": f"--suite sst2 --methods full-finetune --backends packed-bf16 {COMMON}",
    "imdb": f"--suite imdb --methods full-finetune --limit 4000 --backends packed-bf16 {COMMON}",
    "imdb-networks-a": f"--suite imdb --methods lstm,textcnn,gru --set epochs=3 --threads 1 --backends eager {COMMON}",
    "imdb-networks-b": "--suite imdb --methods cnn-lstm,attention-lstm,capsule-lstm,transformer --set epochs=3 "
    f"--limit 6000 --threads 1 --backends eager {COMMON}",
    "agnews-methods": "--suite agnews --methods full-finetune,lora,lora-beside,adapter,deberta-p-tuning,"
    "deberta-prompt-tuning,bert-r-drop,bert-scl,bert-scratch,bert-trainer,embedding-mlp,prefix-tuning-encoder "
    f"--limit 2000 {ONE_THREAD}",
    "agnews-sft": f"--suite agnews --methods sft --set epochs=3 --limit 400 {ONE_THREAD}",
    "agnews-zero-shot": f"--suite agnews --methods zero-shot-letters,zero-shot,before-tuning --limit 400 {ONE_THREAD}",
    "agnews-decoders": f"--suite agnews --methods lora-decoder,prefix-tuning --set epochs=3 --limit 400 {ONE_THREAD}",
    "agnews-before-after": f"--suite agnews --methods before-tuning,sft-lora --limit 120 {ONE_THREAD}",
    "agnews-hard-samples": f"--suite agnews --study hard-samples --limit 2000 {ONE_THREAD}",
    "agnews-sample-size": f"--suite agnews --study sample-size --limit 2000 {ONE_THREAD}",
}
TITLES = {
    "agnews": "AG News, all 16,443 training rows",
    "weibo": "Weibo with its emoticon tags, 8,000 training rows",
    "sst2": "SST-2, the full train split",
    "imdb": "IMDB, 4,000 training rows",
    "imdb-networks-a": "IMDB, the full train split: CNN, LSTM, GRU from scratch",
    "imdb-networks-b": "IMDB, 6,000 training rows: the other networks from scratch",
    "agnews-methods": "AG News, 2,000 training rows: every method for an encoder",
    "agnews-sft": "AG News, 400 training rows: prompt SFT of SmolLM2-135M",
    "agnews-zero-shot": "AG News: SmolLM2-135M untrained",
    "agnews-decoders": "AG News, 400 training rows: SmolLM2-135M with a linear head",
    "agnews-before-after": "AG News, 120 training rows: written answers before and after LoRA prompt SFT",
    "agnews-hard-samples": "AG News: training on the texts that a zero-shot model finds hard",
    "agnews-sample-size": "AG News: how many training texts does LoRA take?",
}
KEPT = ("Quality", "Methods", "Training curve", "Before and after", "Which training texts", "How many training texts")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="names of runs, separated by commas")
    parser.add_argument("--collect", action="store_true", help="run nothing: take the run folders as they are")
    parser.add_argument("--runs", type=Path, default=Path("runs/accuracy"))
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    arguments = parser.parse_args()
    chosen = arguments.only.split(",") if arguments.only else list(RUNS)
    parts = [
        "# Accuracy of the small models on real data",
        "Made by `benchmarks/accuracy.py` from the harness's tables.",
    ]
    for name in chosen:
        folder = arguments.runs / name
        command = ["bench", "run", *shlex.split(RUNS[name]), "--out", str(folder)]
        if arguments.collect:
            command = ["bench", "report", str(folder)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        if done.returncode not in (0, 5):
            raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}")
        parts += [f"## {TITLES[name]}", f"`bench run {RUNS[name]}`", excerpt(folder / "leaderboard.md")]
    arguments.out.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def excerpt(leaderboard: Path) -> str:
    """The provenance and the tables that are kept, of one leaderboard."""
    head, *tables = re.split(r"\n\n(?=### )", leaderboard.read_text(encoding="utf-8").split("\n\n![")[0])
    kept = [table for table in tables if table.removeprefix("### ").startswith(KEPT)]
    provenance = head.split("\n\n", 1)[1]
    page = "\n\n".join([provenance, *kept]).rstrip()
    return page.replace(os.environ["BENCH_DATA"].rstrip("/"), "BENCH_DATA")


if __name__ == "__main__":
    main()
