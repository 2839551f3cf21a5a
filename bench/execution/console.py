"""Shows what goes on in a run: a live bar on a terminal, one line a finished job elsewhere."""

from __future__ import annotations

import time
from importlib.util import find_spec
from types import TracebackType

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench.machine.consoles import SafeConsole
from bench.machine.terminal import visible


def error_console() -> SafeConsole:
    """Progress and messages go to stderr, so that stdout holds the result alone."""
    return SafeConsole(stderr=True, highlight=False)


def _in_notebook_with_widgets(console: SafeConsole) -> bool:
    """Whether a notebook can show a bar: without ipywidgets rich would warn at every step."""
    return console.is_jupyter and find_spec("ipywidgets") is not None


class RunConsole:
    """Follows jobs: `start` names one, `progress` is handed to it, `line` reports its end, `board` what came of all."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self._console = error_console()
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._board: RenderableType = ""
        self.is_live = not quiet and (self._console.is_terminal or _in_notebook_with_widgets(self._console))
        self._live = Live(get_renderable=self._picture, console=self._console, transient=True, refresh_per_second=4)
        self._task = self._bar.add_task("starting", total=None)
        self._title = ""
        self._started = time.monotonic()

    def __enter__(self) -> RunConsole:
        if self.is_live:
            self._live.start()
        return self

    def _picture(self) -> Group:
        return Group(self._board, self._bar)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_live:
            self._live.stop()

    def start(self, title: str) -> None:
        """Name the job that runs now."""
        self._title = title
        self._bar.reset(self._task, description=visible(title), total=None)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far the current job is."""
        description = f"{self._title}: {what}" if self._title else what
        self._bar.update(self._task, description=visible(description), completed=done, total=total)

    def board(self, board: RenderableType) -> None:
        """Show this above the bar from now on, where there is a bar."""
        self._board = board

    def line(self, text: str) -> None:
        """One finished thing, with the time since the run began."""
        if not self.quiet:
            elapsed = time.monotonic() - self._started
            self._console.print(f"{elapsed:6.0f} s  {visible(text)}", markup=False, soft_wrap=True)
