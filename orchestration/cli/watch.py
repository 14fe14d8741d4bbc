"""Shows where a run is: bars on a terminal, plain lines anywhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from ingestion.reading import Progress as ReadingProgress
from orchestration.progress import Listener, watched_by


@contextmanager
def watching(console: Console) -> Iterator[None]:
    """Shows the run that is executed inside."""
    if not console.is_terminal:
        with watched_by(_Lines(console)):
            yield
        return
    with (
        Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}", markup=False),
            TimeElapsedColumn(),
            console=console,
        ) as bars,
        watched_by(_Bars(bars)),
    ):
        yield


class _Lines(Listener):
    def __init__(self, console: Console) -> None:
        self._console = console
        self._is_transforming = False

    def reading(self, progress: ReadingProgress) -> None:
        if progress.is_finished:
            self._console.print(f"{_name(progress)}: {_detail(progress)}")

    def transforming(self, done: int, total: int) -> None:
        if not self._is_transforming:
            self._console.print(f"transform: {total} models and tests")
            self._is_transforming = True

    def publishing(self) -> None:
        self._console.print("publish: the readers' file")


class _Bars(Listener):
    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._organization: str | None = None

    def reading(self, progress: ReadingProgress) -> None:
        if self._organization not in (None, progress.organization):
            # Hundreds of organizations find no room on a screen.
            for task in self._tasks.values():
                self._bars.remove_task(task)
            self._tasks.clear()
        self._organization = progress.organization
        total = progress.total if not progress.is_finished else progress.rows
        self._show(_name(progress), progress.rows, total, _detail(progress))

    def transforming(self, done: int, total: int) -> None:
        self._show("transform", done, total, f"{done} of {total} models and tests")

    def publishing(self) -> None:
        self._show("publish", 1, 1, "the readers' file")

    def _show(self, name: str, done: int, total: int | None, detail: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(name, total=total, detail=detail)
        # An empty resource is done all the same, and a bar of nothing is not.
        self._bars.update(self._tasks[name], completed=done or int(total == 0), total=total or None, detail=detail)
        if total == 0:
            self._bars.update(self._tasks[name], total=1)


def _name(progress: ReadingProgress) -> str:
    return f"{progress.organization} {progress.source} {progress.resource}"


def _detail(progress: ReadingProgress) -> str:
    of_total = f" of {progress.total:,}" if progress.total is not None else ""
    left = f", {progress.budget_left:,} left" if progress.budget_left is not None else ""
    return f"{progress.rows:,}{of_total} rows, {progress.requests:,} requests{left}"
