"""Prints on a terminal through rich, whatever the data: no control or direction character of it gets there."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from bench.machine.terminal import written_out


class SafeConsole(Console):
    """A console of rich, whose own styles and cursor moves are the only escapes that it writes."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable, with what data hides in them written out as \\x1b."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(written_out(segment.text), segment.style)
