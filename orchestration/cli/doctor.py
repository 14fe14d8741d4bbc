"""`tieout doctor`."""

from typing import Annotated

import typer
from rich.text import Text

from ingestion.plain_text import plain
from ingestion.settings import load_settings, problems
from orchestration.cli.terminal import terminal

_STYLES = {"ok": "green", "note": "yellow", "wrong": "red"}
_FAILED, _WRONG_SETTINGS = 1, 2


def doctor(
    send_test_alert: Annotated[
        bool, typer.Option("--send-test-alert", help="Send an alert that says that it is a test.")
    ] = False,
) -> None:
    """Check settings, credentials, limits, files and clock; say what is wrong and how to mend it."""
    from orchestration.doctor import Finding, Verdict, examine

    console = terminal()

    def say(found: Finding) -> None:
        finding = plain(found)
        verdict = Text(f"{finding.verdict:<5}", _STYLES[finding.verdict])
        console.print(Text.assemble(verdict, f"  {finding.about}: {finding.text}"), soft_wrap=True)

    if wrong := problems():
        for line in wrong:
            say(Finding(Verdict.WRONG, "settings", line))
        raise typer.Exit(_WRONG_SETTINGS)
    is_well = True
    for finding in examine(load_settings(), send_test_alert=send_test_alert):
        say(finding)
        is_well &= finding.verdict is not Verdict.WRONG
    if not is_well:
        raise typer.Exit(_FAILED)
