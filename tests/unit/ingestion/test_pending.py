"""A load that was killed, at the moments where dlt by itself would fail or load twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import dlt
import pyarrow as pa
import pytest
from dlt.common.storages.load_package import PackageStorage
from dlt.common.storages.load_storage import LoadStorage
from dlt.extract.extract import Extract
from dlt.load.load import Load
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.pipeline import Pipeline

from ingestion import pending
from ingestion.settings import Settings
from ingestion.sources import pipeline_for


class Killed(Exception):
    pass


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pipeline:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    return pipeline_for("raise", "river", Settings(warehouse_path=tmp_path / "w.duckdb", _env_file=None))


UPSERT = {"disposition": "merge", "strategy": "upsert"}


def gifts(disposition: Any = UPSERT) -> dlt.sources.DltResource:
    rows = pa.table({"id": [1, 2], "amount": [5, 7]})
    return dlt.resource(rows, name="gifts", primary_key="id", write_disposition=disposition)


def loaded(pipeline: Pipeline) -> list[tuple[int, ...]]:
    return sorted(row[:2] for row in pipeline.dataset().gifts.fetchall())


def test_between_normalizing_and_taking_it_from_the_extracted(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.extract(gifts())
    (package,) = (Path(pipeline.working_dir) / pending.EXTRACTED).iterdir()
    shutil.copytree(package, tmp_path / "kept")
    pipeline.normalize()
    shutil.copytree(tmp_path / "kept", package)
    pending.finish(pipeline)
    assert not pipeline.has_pending_data
    assert loaded(pipeline) == [(1, 5), (2, 7)]


def test_before_the_schema_of_what_was_extracted_is_saved(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The one before it was appended; appended too, the rows would stand twice."""
    pipeline.run(gifts("append"))

    def dies(extract: Extract) -> None:
        committed(extract)
        raise Killed

    committed = Extract.commit_packages
    with monkeypatch.context() as killed:
        killed.setattr(Extract, "commit_packages", dies)
        with pytest.raises(PipelineStepFailed):
            pipeline.extract(gifts())
    anew = pipeline_for("raise", "river", Settings(warehouse_path=tmp_path / "w.duckdb", _env_file=None))
    assert anew.has_pending_data
    pending.finish(anew)
    assert loaded(anew) == [(1, 5), (2, 7)]


def _after(calls: int, method: Callable[..., object]) -> Callable[..., object]:
    """A method that is killed when it is called once more than so often."""
    left = iter(range(calls))

    def dies(*args: object, **kwargs: object) -> object:
        if next(left, None) is None:
            raise Killed
        return method(*args, **kwargs)

    return dies


# What is appended has but one round.
@pytest.mark.parametrize("is_noted", [True, False])
@pytest.mark.parametrize(("disposition", "rounds"), [*product([UPSERT], range(3)), ("append", 0), ("append", 1)])
def test_in_any_round_of_the_load(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, disposition: Any, rounds: int, is_noted: bool
) -> None:
    """Between the rounds files are copied and tables merged; `is_noted` says whether dlt came to write that down."""
    pipeline.extract(gifts(disposition))
    pipeline.normalize()
    with monkeypatch.context() as killed:
        killed.setattr(Load, "complete_jobs", _after(rounds, Load.complete_jobs))
        if not is_noted:
            killed.setattr(PackageStorage, "save_pending_transition", lambda *_: None)
        with pytest.raises(PipelineStepFailed):
            pipeline.load()
    assert pipeline.has_pending_data
    pending.finish(pipeline)
    assert not pipeline.has_pending_data
    assert loaded(pipeline) == [(1, 5), (2, 7)]


def test_a_file_that_was_never_put_into_its_package(pipeline: Pipeline) -> None:
    pipeline.extract(gifts())
    pipeline.normalize()
    (Path(pipeline.working_dir) / pending.NORMALIZED / "20ee1f7fbfdb73b1").touch()
    pending.finish(pipeline)
    assert loaded(pipeline) == [(1, 5), (2, 7)]


def test_again_after_the_change_of_the_tables_was_half_noted(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.extract(gifts())
    pipeline.normalize()
    with monkeypatch.context() as killed:
        killed.setattr(LoadStorage, "commit_schema_update", _half_of_it)
        with pytest.raises(PipelineStepFailed):
            pipeline.load()
    with monkeypatch.context() as killed:
        killed.setattr(Load, "complete_jobs", _after(1, Load.complete_jobs))
        killed.setattr(PackageStorage, "save_pending_transition", lambda *_: None)
        with pytest.raises(PipelineStepFailed):
            pending.finish(pipeline)
    pending.finish(pipeline)
    assert loaded(pipeline) == [(1, 5), (2, 7)]


def _half_of_it(storage: LoadStorage, load_id: str, _: object) -> None:
    package = Path(storage.normalized_packages.storage.make_full_path(load_id))
    (package / PackageStorage.SCHEMA_UPDATES_FILE_NAME).unlink()
    raise Killed
