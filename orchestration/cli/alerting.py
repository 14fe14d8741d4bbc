"""What a command does about alerts when its work is done."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ingestion.disk import full_disk
from ingestion.errors import TieoutError
from ingestion.settings import Settings
from orchestration.cli.terminal import say_warning
from orchestration.scope import UnknownOrganization
from orchestration.turn import RunInProgress

if TYPE_CHECKING:
    from dagster import AssetCheckKey


class RunFailed(TieoutError):
    """The run, or a part of it, did not do its work."""


@contextmanager
def told_at_the_end(settings: Settings, organization: str | None) -> Iterator[None]:
    """Sends the alerts that are due after a run, however it ended. What cannot be sent fails nothing."""
    try:
        yield
    except (RunInProgress, UnknownOrganization):
        # Nothing was tried.
        raise
    except RunFailed:
        _tell(settings)
        raise
    except TieoutError as error:
        _tell(settings, organization, str(error))
        raise
    except Exception as error:
        _tell(settings, organization, str(full_disk(error) or f"Unexpected {type(error).__name__}."))
        raise
    _tell(settings)


def _tell(settings: Settings, organization: str | None = None, error: str | None = None) -> None:
    from orchestration.alerts.channels import channels

    ways = channels(settings)
    if not ways:
        return
    # Dagster takes seconds to load: not before there is somebody to tell.
    from orchestration.alerts.attempts import note_attempt
    from orchestration.alerts.observing import observe
    from orchestration.alerts.telling import folder, tell
    from orchestration.instance import open_instance

    try:
        if error:
            note_attempt(settings, organization, error)
        with open_instance() as instance:
            problems = tell(folder(settings), ways, lambda: observe(settings, instance, _checks()))
    except Exception as unexpected:
        # Whatever becomes of the alerts, the run is what it is.
        problems = [f"No alert is sent: unexpected {type(unexpected).__name__}. Report this as a bug."]
    for problem in problems:
        say_warning(problem)


def _checks() -> Collection["AssetCheckKey"] | None:
    try:
        from orchestration.definitions import defs
    except TieoutError:
        return None
    return defs.resolve_asset_graph().asset_check_keys
