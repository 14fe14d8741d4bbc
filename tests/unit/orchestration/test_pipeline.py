"""A run of the command line, as the UI gets to see it."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from orchestration.assets.ingest import not_read
from orchestration.instance import open_instance


@pytest.mark.parametrize(
    ("fails_with", "did_its_work", "status"),
    [
        (None, True, dg.DagsterRunStatus.SUCCESS),
        (not_read(["Raise refused the credential (401)."]), True, dg.DagsterRunStatus.FAILURE),
        (dg.Failure("dbt: a test failed."), False, dg.DagsterRunStatus.FAILURE),
    ],
)
def test_a_run_has_the_state_of_the_exit_code_and_a_place_in_the_timeline(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fails_with: Exception | None,
    did_its_work: bool,
    status: dg.DagsterRunStatus,
) -> None:
    @dg.asset
    def published() -> None:
        if fails_with:
            raise fails_with

    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "w.duckdb"))
    # What it imports parses the project, beside the warehouse.
    from orchestration import pipeline as subject

    options = dg.ResourceDefinition(lambda _: None, config_schema=dict)
    job = dg.define_asset_job("reconcile", executor_def=dg.in_process_executor)
    monkeypatch.setattr(subject, "_run_config", lambda *_, **__: {})
    monkeypatch.setattr(subject, "defs", dg.Definitions(assets=[published], jobs=[job], resources={"options": options}))
    finished = subject.execute()
    assert finished.did_its_work is did_its_work
    with open_instance() as instance:
        run = instance.get_run_by_id(finished.run_id)
    assert run
    assert (run.status, run.job_name) == (status, "reconcile")
    assert run.remote_job_origin
    origin = run.remote_job_origin.repository_origin
    # What the UI calls the location: https://github.com/dagster-io/dagster, useRunsForTimeline.
    assert origin.get_label() == run.tags[".dagster/repository"] == "__repository__@orchestration.definitions"
