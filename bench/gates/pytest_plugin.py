"""Makes every result of a baseline a test of a run folder, as a pytest plugin."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from bench.results.verdicts import CheckedResult

RUN, BASELINE = "--bench-run", "--bench-baseline"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options; they belong together."""
    group = parser.getgroup("bench", "quality gate of text classifiers")
    group.addoption(RUN, type=Path, metavar="DIR", help="Run folder of `bench run` to judge.")
    group.addoption(BASELINE, type=Path, metavar="FILE", help="Baseline written by `bench baseline`.")


def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add a test a result of the baseline; raises pytest.UsageError for files that cannot be read or compared."""
    run, baseline = config.getoption(RUN), config.getoption(BASELINE)
    if run is None and baseline is None:
        return
    if run is None or baseline is None:
        raise pytest.UsageError(f"{RUN} DIR and {BASELINE} FILE must be given together")
    from bench import registry
    from bench.errors import BenchError
    from bench.gates.baseline import read_baseline
    from bench.gates.check import check_run
    from bench.results.store import open_run

    try:
        check = check_run(open_run(run), read_baseline(baseline))
    except BenchError as error:
        raise pytest.UsageError(str(error)) from error
    page = registry.find("report", "check")(check)
    items += [
        GatedResult.from_parent(
            session, name=f"{checked.cell.task}: {checked.name}", checked=checked, told=page.line(checked)
        )
        for checked in check.rows
    ]


class Regression(Exception):
    """A result regressed or failed; its text is all a reader needs."""


class GatedResult(pytest.Item):
    """Fails when the result regressed or failed, is skipped when it is not settled or missing."""

    def __init__(self, *, checked: CheckedResult, told: str, **options: Any) -> None:
        super().__init__(**options)
        self.checked, self.told = checked, told

    def runtest(self) -> None:
        """The verdict was found when the tests were collected."""
        from bench.results.verdicts import Verdict

        if self.checked.bad:
            raise Regression(self.told)
        if self.checked.verdict is not Verdict.PASS:
            pytest.skip(self.told)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """One line for a regression, the usual traceback for anything else."""
        return str(excinfo.value) if isinstance(excinfo.value, Regression) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """What a failure is headed with."""
        return self.path, None, self.name
