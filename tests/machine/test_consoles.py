"""What data hides in its letters reaches no terminal, whatever prints it; rich's own escapes do."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import RenderableType
from rich.panel import Panel
from rich.progress import Progress
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

import bench
from bench.cli import cli
from bench.machine.consoles import SafeConsole

HOSTILE = "a\x1b]0;owned\x07b\x9b31mc\u202ed\x08e"
HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def table(*cells: str | Text) -> Table:
    found = Table(title=HOSTILE, caption=HOSTILE)
    for cell in cells:
        found.add_column(cell)
    found.add_row(*cells)
    return found


@pytest.mark.parametrize(
    "shown",
    [HOSTILE, Text(HOSTILE), table(HOSTILE, Text(HOSTILE)), Panel(HOSTILE, title=HOSTILE), Tree(HOSTILE)],
    ids=["str", "text", "table", "panel", "tree"],
)
@pytest.mark.parametrize("width", [20, 120])
def test_nothing_hidden_is_printed(shown: RenderableType, width: int) -> None:
    written = io.StringIO()
    SafeConsole(file=written, width=width, highlight=False).print(shown, markup=False)
    assert not HIDDEN.search(written.getvalue())
    assert "\\x1b" in written.getvalue().replace("\n", "")


def test_styles_and_progress_are_still_drawn() -> None:
    written = io.StringIO()
    console = SafeConsole(file=written, width=80, force_terminal=True, color_system="truecolor", highlight=False)
    console.print(Text(f"bold {HOSTILE}", style="bold red"))
    with Progress(console=console, refresh_per_second=1) as progress:
        progress.add_task(HOSTILE, total=2)
        progress.refresh()
    text = written.getvalue()
    assert "\x1b[1;31mbold" in text
    assert not HIDDEN.search(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", ""))


def test_harmless_text_of_every_language_stays() -> None:
    written = io.StringIO()
    SafeConsole(file=written, width=80).print(Text("naïve 中文 رائع שלום \u200c±…\ntwo lines"))
    assert written.getvalue() == "naïve 中文 رائع שלום \u200c±…\ntwo lines\n"


def test_every_command_prints_on_it() -> None:
    for path in Path(bench.__file__).parent.rglob("*.py"):
        made = re.findall(r"(?<![A-Za-z_.])Console\(", path.read_text(encoding="utf-8"))
        assert path.name == "consoles.py" or not made, f"{path} makes a console of its own"


def test_what_inspect_shows_of_data_is_written_out(tmp_path: Path) -> None:
    """Texts, labels, names of columns and of the file itself."""
    data = tmp_path / "odd\x1b]0;owned\x07.csv"
    lines = [f"good \x1b[2J day {n},\x1b]0;owned\x07pos" if n % 2 else f"bad day {n},neg\x9b31m" for n in range(60)]
    data.write_text("\n".join(["te\x1b[31mxt,label", *lines]), encoding="utf-8")
    done = CliRunner().invoke(cli, ["inspect", str(data)])
    assert done.exit_code == 0, done.output
    assert "\\x1b" in done.output
    assert not HIDDEN.search(done.output)
