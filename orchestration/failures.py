"""What went wrong in a run, by its events, one line each."""

from collections.abc import Iterable, Mapping

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEvent, DagsterEventType

from orchestration.assets.ingest import READ_COMPLETELY, errors_of, is_not_read, notes_of

_EVALUATION = DagsterEventType.ASSET_CHECK_EVALUATION
EVENTS = {DagsterEventType.STEP_FAILURE, _EVALUATION}
"""The events that can tell."""


def failures(events: Iterable[DagsterEvent], *, only_ours: bool = False) -> tuple[str, ...]:
    """Without repetition. `only_ours`: of another error only its kind is told, for its text may hold anything."""
    return tuple(dict.fromkeys(line for event in events for line in _lines(event, only_ours)))


def unread(events: Iterable[DagsterEvent]) -> dict[str, list[str]]:
    """Why organizations could not be read, by slug, without repetition and without the slug before each line."""
    found: dict[str, list[str]] = {}
    for event in events:
        if event.event_type is _EVALUATION:
            for slug, error in _errors(event.asset_check_evaluation_data).items():
                line = error.removeprefix(f"[{slug}] ")
                if line not in found.setdefault(slug, []):
                    found[slug].append(line)
    return found


def notes(events: Iterable[DagsterEvent]) -> tuple[str, ...]:
    """What was not given to be read, which fails no run, one line each, without repetition."""
    checks = (event.asset_check_evaluation_data for event in events if event.event_type is _EVALUATION)
    return tuple(
        dict.fromkeys(
            line for check in checks if check.check_name == READ_COMPLETELY for line in notes_of(check).values()
        )
    )


def _lines(event: DagsterEvent, only_ours: bool) -> list[str]:
    if event.event_type is _EVALUATION:
        return list(_errors(event.asset_check_evaluation_data).values())
    failure = _failure(event, only_ours)
    return [failure] if failure else []


def _failure(event: DagsterEvent, only_ours: bool) -> str | None:
    if event.event_type is not DagsterEventType.STEP_FAILURE or is_not_read(event):
        return None
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return failure.user_failure_data.description
    cause = failure.error
    while cause and cause.cause:
        cause = cause.cause
    if not cause:
        return f"{event.step_key} failed."
    said = cause.cls_name if only_ours else cause.message.strip().splitlines()[0]
    return f"{event.step_key}: {said}"


def _errors(check: AssetCheckEvaluation) -> Mapping[str, str]:
    is_fault = check.check_name == READ_COMPLETELY and check.severity is AssetCheckSeverity.ERROR and not check.passed
    return errors_of(check) if is_fault else {}
