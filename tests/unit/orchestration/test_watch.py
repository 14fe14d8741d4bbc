"""What is shown of a run while it goes."""

from __future__ import annotations

import io

from rich.console import Console

from ingestion.reading import Progress
from orchestration.cli.watch import watching
from orchestration.progress import listener


def progress(
    *, rows: int, total: int | None, budget_left: int | None = None, is_finished: bool = False, resource: str = "gifts"
) -> Progress:
    return Progress("crm_plus", "river", resource, rows, total, 7, budget_left, is_finished)


def shown(*readings: Progress, is_terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=is_terminal, width=160, legacy_windows=False)
    with watching(console):
        for reading in readings:
            listener().reading(reading)
        listener().transforming(1, 180)
        listener().transforming(180, 180)
        listener().publishing()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_plain_lines_tell_each_resource_once_it_is_read() -> None:
    lines = shown(
        progress(rows=500, total=1737, budget_left=4900),
        progress(rows=1737, total=1737, budget_left=4896, is_finished=True),
        progress(rows=200, total=None, is_finished=True, resource="webhook_log_payloads"),
        is_terminal=False,
    )
    assert lines.splitlines() == [
        "river crm_plus gifts: 1,737 of 1,737 rows, 7 requests, 4,896 left",
        "river crm_plus webhook_log_payloads: 200 rows, 7 requests",
        "transform: 180 models and tests",
        "publish: the readers' file",
    ]


def test_a_terminal_shows_how_far_it_is() -> None:
    screen = shown(progress(rows=500, total=1737, budget_left=4900), is_terminal=True)
    assert "river crm_plus gifts" in screen
    assert "500 of 1,737 rows, 7 requests, 4,900 left" in screen
    assert "180 of 180 models and tests" in screen


def test_an_empty_resource_is_done() -> None:
    screen = shown(progress(rows=0, total=0, is_finished=True), is_terminal=True)
    assert "0 of 0 rows" in screen
