"""What went wrong in a run, by its events, one line each."""

from collections.abc import Iterable

from dagster import AssetCheckEvaluation, AssetCheckSeverity, DagsterEvent, DagsterEventType

from orchestration.assets.ingest import READ_COMPLETELY, errors_of, notes_of

_EVALUATION = DagsterEventType.ASSET_CHECK_EVALUATION
EVENTS = {DagsterEventType.STEP_FAILURE, _EVALUATION}
"""The events that can tell."""


def failures(events: Iterable[DagsterEvent], *, only_ours: bool = False) -> tuple[str, ...]:
    """Without repetition. `only_ours`: of another error only its kind is told, for its text may hold anything."""
    return tuple(dict.fromkeys(line for event in events for line in _lines(event, only_ours)))


def notes(events: Iterable[DagsterEvent]) -> tuple[str, ...]:
    """What was not given to be read, which fails no run, one line each, without repetition."""
    checks = (event.asset_check_evaluation_data for event in events if event.event_type is _EVALUATION)
    return tuple(
        dict.fromkeys(line for check in checks if check.check_name == READ_COMPLETELY for line in notes_of(check))
    )


def _lines(event: DagsterEvent, only_ours: bool) -> list[str]:
    if event.event_type is _EVALUATION:
        return _unread(event.asset_check_evaluation_data)
    failure = _failure(event, only_ours)
    return [failure] if failure else []


def _failure(event: DagsterEvent, only_ours: bool) -> str | None:
    if event.event_type is not DagsterEventType.STEP_FAILURE:
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


def _unread(check: AssetCheckEvaluation) -> list[str]:
    is_fault = check.check_name == READ_COMPLETELY and check.severity is AssetCheckSeverity.ERROR and not check.passed
    return errors_of(check) if is_fault else []
