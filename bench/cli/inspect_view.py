"""Prints what `bench inspect` found."""

from __future__ import annotations

from typing import Any

from rich.text import Text

from bench.cli.views import add_row, new_console, new_table

SHOWN_CLASSES = 30
SHOWN_DOUBTS = 20


def print_inspection(content: dict[str, Any]) -> None:
    """How it is read, classes, lengths, what stands twice, likely label errors."""
    console = new_console()
    read = [content["format"], content["encoding"], content["delimiter"] and f"delimiter {content['delimiter']}"]
    console.print(Text(f"{content['data']}: {', '.join(part for part in read if part)}", style="bold"))
    if content["columns"]:
        console.print(Text(f"columns: {', '.join(content['columns'])}"))
    for row in content["first_rows"]:
        console.print(Text(f"  {' | '.join(row)}", overflow="ellipsis", no_wrap=True))
    console.print(Text(f"{content['texts']:,} texts, language {content['language']}"))
    for note in content["notes"]:
        console.print(Text(f"- {note}"))
    console.print()
    for table in (_classes(content), _lengths(content), _twice(content), _overlap(content), _doubts(content)):
        if table.row_count:
            console.print(table)
            console.print()
    for line in _summary(content):
        console.print(Text(f"- {line}"))


def _classes(content: dict[str, Any]) -> Any:
    classes = sorted(content["classes"], key=lambda row: -row["train"])
    table = new_table(f"{len(classes)} classes", "class", "train", "validation", "test")
    shown = (
        classes if len(classes) <= SHOWN_CLASSES else [*classes[: SHOWN_CLASSES // 2], *classes[-SHOWN_CLASSES // 2 :]]
    )
    for row in shown:
        add_row(table, row["class"], *(f"{row[part]:,}" for part in ("train", "validation", "test")))
    if len(shown) < len(classes):
        add_row(table, f"({len(classes) - len(shown)} between them are not shown)", "", "", "")
    return table


def _lengths(content: dict[str, Any]) -> Any:
    table = new_table("Lengths", "in", "median", "95 % within", "longest", "model reads", "texts cut")
    lengths = content["lengths"]
    add_row(table, lengths["unit"], *(f"{lengths[key]:,}" for key in ("median", "p95", "longest")), "", "")
    for model in content["models"]:
        tokens = [f"{model['tokens'][key]:,}" for key in ("median", "p95", "longest")]
        add_row(table, f"tokens of {model['model']}", *tokens, f"{model['reads']:,}", f"{model['cut']:.1%}")
    return table


def _twice(content: dict[str, Any]) -> Any:
    table = new_table("Texts that stand twice", "first", "second", "similar", "labels", "text")
    for twin in dict.fromkeys(map(_key, (*content["conflicts"], *content["twins"]))):
        add_row(table, *twin)
    return table


def _key(twin: dict[str, Any]) -> tuple[str, ...]:
    labels = " / ".join(dict.fromkeys(twin["labels"]))
    return twin["first"], twin["second"], f"{twin['similarity']:.0%}", labels, twin["text"]


def _overlap(content: dict[str, Any]) -> Any:
    table = new_table("Classes taken for others", "label", "likely class", "texts")
    for label, likely, share in content["overlap"]:
        add_row(table, label, likely, f"{share:.1%}")
    return table


def _doubts(content: dict[str, Any]) -> Any:
    table = new_table("Likeliest label errors", "part", "row", "label", "likely", "probability", "text")
    for doubt in content["doubts"][:SHOWN_DOUBTS]:
        probability = f"{doubt['probability']:.2f}"
        add_row(table, doubt["part"], f"{doubt['row']:,}", doubt["label"], doubt["likely"], probability, doubt["text"])
    return table


def _summary(content: dict[str, Any]) -> list[str]:
    check = content["check"]
    doubtful = "not judged (a class has one text only)" if check["doubtful"] is None else f"{check['doubtful']:,}"
    return [
        f"texts that stand in the data again (but for case, spaces, signs): {check['duplicates']:,}",
        f"pairs that are nearly the same: {check['near']:,}",
        f"test texts that are also, exactly or nearly, in train or validation: {check['leaked']:,}",
        f"texts with two labels: {check['conflicting']:,}",
        f"doubtful labels (confident learning by TF-IDF): {doubtful}, {len(check['doubtful_test']):,} of them in test",
    ]
