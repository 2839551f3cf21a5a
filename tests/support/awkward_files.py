"""Text sets in the shapes that people have them: what each file holds, how it is written, and what must come out."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ROWS = 40
ADJECTIVES = {"neg": ("dreary", "horrid", "awful", "clumsy"), "pos": ("lovely", "superb", "splendid", "charming")}


@dataclass(frozen=True)
class Awkward:
    """One file: its name, its bytes, the options it needs, and its rows or a pattern of the refusal."""

    file: str
    content: bytes
    rows: list[tuple[str, str]] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    refusal: str | None = None


def texts(template: str = "the coat, we said, was {} on visit {}") -> list[tuple[str, str]]:
    """ROWS texts of two classes in turn."""
    rows = []
    for at in range(ROWS):
        label = ("neg", "pos")[at % 2]
        rows.append((template.format(ADJECTIVES[label][at // 2 % 4], at), label))
    return rows


def lines(rows: list[Any], header: str = "", end: str = "\n") -> bytes:
    return "".join(f"{line}{end}" for line in ([header] if header else []) + rows).encode()


def written(rows: list[tuple[str, ...]], header: tuple[str, ...] | None = ("text", "label"), **dialect: Any) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, **{"lineterminator": "\n", **dialect})
    if header:
        writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


def zipped(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return bytes(sink.getvalue())


def parquet(columns: dict[str, Any], features: dict[str, Any] | None = None) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(columns)
    if features is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return bytes(sink.getvalue())


def with_delimiters() -> dict[str, Awkward]:
    """Delimiters, headers and quoting."""
    prose = texts()
    plain = texts("the coat was {} on visit {}")
    quoted = texts('he said "the coat" was {} on visit {}')
    cases = {}
    for name, sign in (("comma", ","), ("semicolon", ";"), ("tab", "\t"), ("pipe", "|")):
        for suffix in ("csv", "tsv", "txt"):
            cases[f"{name}-{suffix}"] = Awkward(f"a.{suffix}", written(prose, delimiter=sign), prose)
        cases[f"{name}-no-header"] = Awkward("a.csv", written(prose, None, delimiter=sign), prose)
        swapped = [(label, text) for text, label in prose]
        cases[f"{name}-label-first"] = Awkward("a.csv", written(swapped, None, delimiter=sign), prose)
        cases[f"{name}-quoted"] = Awkward("a.csv", written(quoted, delimiter=sign, quoting=csv.QUOTE_ALL), quoted)
        escaped = written(quoted, delimiter=sign, doublequote=False, escapechar="\\", quoting=csv.QUOTE_ALL)
        cases[f"{name}-backslash"] = Awkward("a.csv", escaped, quoted)
        trailing = [(*row, "", "") for row in prose]
        empty = written(trailing, ("text", "label", "", ""), delimiter=sign)
        cases[f"{name}-trailing"] = Awkward("a.csv", empty, prose)
        cases[f"{name}-sep-line"] = Awkward(
            "a.csv", f"sep={sign}\r\n".encode() + written(prose, delimiter=sign, lineterminator="\r\n"), prose
        )
    unquoted = texts('"the coat" was {}, 5" wide, visit {}')
    raw = lines([f"{text}\t{label}" for text, label in unquoted], "text\tlabel")
    cases["tab-literal-quotes"] = Awkward("a.tsv", raw, unquoted)
    many_lines = texts("the coat\nwas {}\non visit {}")
    cases["line-breaks-in-cells"] = Awkward("a.csv", written(many_lines), many_lines)
    spaced = lines([f'"{text}", "{label}"' for text, label in prose], "text, label")
    cases["space-after-comma"] = Awkward("a.csv", spaced, prose)
    punctuated = texts("Well, the coat was {} on visit {}")
    cases["prose-comma-semicolon"] = Awkward("a.csv", lines([f"{t};{y}" for t, y in punctuated]), punctuated)
    cases["colon-under-prose"] = Awkward("a.csv", lines([f"{t}:{y}" for t, y in punctuated]), punctuated)
    alone = lines([f"{text} indeed, {at}" for at, (text, _) in enumerate(punctuated)])
    cases["prose-alone"] = Awkward("a.csv", alone, refusal="--delimiter|may be a header")
    unknown = written([(str(at), t, y) for at, (t, y) in enumerate(prose)], ("id", "clean_words", "category"))
    cases["one-known-name"] = Awkward("a.csv", unknown, refusal="choose a column with --text-column; its columns: id")
    loose = lines([f"{t},{y}" for t, y in prose], "text,label")
    cases["loose-comma"] = Awkward("a.csv", loose, refusal="line 2 has 4 columns")
    cases["two-delimiters-fit"] = Awkward(
        "a.csv", lines([f"{('north', 'south')[at // 2 % 2]},{t};{y}" for at, (t, y) in enumerate(plain)]),
        refusal="--delimiter",
    )  # fmt: skip
    single = [f"'{text}','{label}'" for text, label in plain]
    cases["single-quotes"] = Awkward("a.csv", lines(single, "'text','label'"), plain)
    titled = [("1" if label == "neg" else "2", "A title", text) for text, label in prose]
    joined = [(f"A title {text}", "1" if label == "neg" else "2") for text, label in prose]
    positions = {"text_column": "2,3", "label_column": "1"}
    cases["by-position"] = Awkward(
        "a.csv", written(titled, None, quoting=csv.QUOTE_ALL, lineterminator="\r\n"), joined, positions
    )
    named = {"text_column": "title,body", "label_column": "kind"}
    cases["joined"] = Awkward("a.csv", written(titled, ("kind", "title", "body")), joined, named)
    return cases


def encoded() -> dict[str, Awkward]:
    """Encodings and compressions."""
    prose = texts()
    german = texts("der Mäntel ist schön, größer und {} beim {}. Besuch")
    japanese = texts("とても楽しかったです{}また{}回行きたい")
    chinese = texts("这件外套很好看{}我去了{}次")
    table = written(prose)
    return {
        "utf8-bom": Awkward("a.csv", b"\xef\xbb\xbf" + table, prose),
        "utf16-le": Awkward("a.csv", b"\xff\xfe" + written(german).decode().encode("utf-16-le"), german),
        "utf16-be": Awkward(
            "a.tsv", b"\xfe\xff" + written(german, delimiter="\t").decode().encode("utf-16-be"), german
        ),
        "cp1252-named": Awkward("a.csv", written(german).decode().encode("cp1252"), german, {"encoding": "cp1252"}),
        "cp1252-unnamed": Awkward(
            "a.csv", written(german).decode().encode("cp1252"), refusal="--encoding cp1252 reads"
        ),
        "cp932-unnamed": Awkward("a.csv", written(japanese).decode().encode("cp932"), refusal="--encoding cp932 reads"),
        "gb18030-named": Awkward(
            "a.csv", written(chinese).decode().encode("gb18030"), chinese, {"encoding": "gb18030"}
        ),
        "gb18030-unnamed": Awkward("a.csv", written(chinese).decode().encode("gb18030"), refusal="--encoding gb"),
        "gz": Awkward("a.csv.gz", gzip.compress(table), prose),
        "bz2": Awkward("a.csv.bz2", bz2.compress(table), prose),
        "xz": Awkward("a.csv.xz", lzma.compress(table), prose),
        "zip": Awkward("a.csv.zip", zipped("a.csv", table), prose),
        "zip-other-name": Awkward("archive.zip", zipped("inner/reviews.csv", table), prose),
        "zst": Awkward("a.jsonl.zst", zstd(lines([json.dumps({"text": t, "label": y}) for t, y in prose])), prose),
    }


def structured() -> dict[str, Awkward]:
    """JSON, parquet and fastText."""
    prose = texts()
    records = [{"text": text, "label": label} for text, label in prose]
    alpaca = [{"instruction": "Is it good?", "input": t, "output": y} for t, y in prose]
    talks = [
        {"conversations": [{"from": "human", "value": t}, {"from": "gpt", "value": y}]} for t, y in prose
    ]  # fmt: skip
    nested = [json.dumps({"id": at, "data": {"text": t}, "meta": {"label": y}}) for at, (t, y) in enumerate(prose)]
    columns, labels = [t for t, _ in prose], [y for _, y in prose]
    numbers = [("neg", "pos").index(y) for y in labels]
    counted = [(t, str(n)) for t, n in zip(columns, numbers, strict=True)]
    feature = {"label": {"_type": "ClassLabel", "names": ["neg", "pos"]}, "text": {"_type": "Value"}}
    paths = {"text_column": "data.text", "label_column": "meta.label"}
    return {
        "json-array": Awkward("a.json", json.dumps(records).encode(), prose),
        "json-array-indented": Awkward("a.json", json.dumps(records, indent=2).encode(), prose),
        "json-wrapped": Awkward("a.json", json.dumps({"version": 1, "data": records}).encode(), prose),
        "json-columns": Awkward("a.json", json.dumps({"text": columns, "label": labels}).encode(), prose),
        "json-lines-as-json": Awkward("a.json", lines([json.dumps(record) for record in records]), prose),
        "ndjson": Awkward("a.ndjson", lines([json.dumps(record) for record in records]), prose),
        "json-lines-as-txt": Awkward("a.txt", lines([json.dumps(record) for record in records]), prose),
        "nested": Awkward("a.jsonl", lines(nested), prose, paths),
        "alpaca": Awkward("a.json", json.dumps(alpaca).encode(), prose),
        "sharegpt": Awkward("a.json", json.dumps(talks).encode(), prose),
        "classlabel": Awkward("a.parquet", parquet({"text": columns, "label": numbers}, feature), prose),
        "decimal": Awkward("a.parquet", parquet({"text": columns, "label": list(map(Decimal, numbers))}), counted),
        "bytes": Awkward("a.parquet", parquet({"text": [t.encode() for t in columns], "label": labels}), prose),
        "categorical": Awkward("a.parquet", parquet({"text": columns, "label": _dictionary(labels)}), prose),
        "whole-floats": Awkward("a.parquet", parquet({"text": columns, "label": list(map(float, numbers))}), counted),
        "fasttext": Awkward("a.txt", lines([f"__label__{y} {t}" for t, y in prose]), prose),
        "fasttext-train": Awkward("a.train", lines([f"__label__{y} , {t}" for t, y in prose]),
                                  [(f", {t}", y) for t, y in prose]),
    }  # fmt: skip


def _dictionary(values: list[str]) -> Any:
    import pyarrow as pa

    return pa.array(values).dictionary_encode()


KINDS: dict[str, Callable[[], dict[str, Awkward]]] = {
    "delimiters": with_delimiters,
    "encodings": encoded,
    "structures": structured,
}


def awkward_files() -> dict[str, Awkward]:
    """Every case by name."""
    return {name: case for make in KINDS.values() for name, case in make().items()}


def write_case(case: Awkward, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / case.file
    path.write_bytes(case.content)
    return path
