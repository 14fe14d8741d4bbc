from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.errors import WarehouseLocked
from ingestion.settings import Settings
from ingestion.sources import finish_pending, is_half_loaded, pipeline_for


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    return Settings(warehouse_path=tmp_path / "w.duckdb", _env_file=None)


@pytest.mark.parametrize("came_to", ["extracted", "normalized"])
def test_what_killed_runs_left_is_finished_for_every_organization(settings: Settings, came_to: str) -> None:
    """Also for one that the settings do not name."""
    left, other = pipeline_for("raise", "west_side", settings), pipeline_for("crm_plus", "west_side", settings)
    for pipeline in (left, other):
        pipeline.extract([{"id": 7}], table_name="gifts")
        if came_to == "normalized":
            pipeline.normalize()
    assert is_half_loaded("raise", "west_side", settings) is (came_to == "normalized")
    finish_pending("raise", settings)
    assert not left.has_pending_data
    assert left.dataset().gifts.fetchall()[0][0] == 7
    assert other.has_pending_data


def test_what_is_left_waits_for_who_holds_the_warehouse(settings: Settings) -> None:
    left = pipeline_for("raise", "west_side", settings)
    left.extract([{"id": 7}], table_name="gifts")
    left.normalize()
    holds = f"import duckdb; held = duckdb.connect({str(settings.warehouse_path)!r}); print(); input()"
    with subprocess.Popen([sys.executable, "-c", holds], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.readline()
        with pytest.raises(WarehouseLocked):
            finish_pending("raise", settings)
        assert left.has_pending_data
        holder.communicate(b"\n")
    finish_pending("raise", settings)
    assert not left.has_pending_data


@pytest.mark.parametrize("came_to", ["extracted", "normalized", "loaded"])
def test_a_pipeline_works_without_the_folders_that_were_empty(settings: Settings, came_to: str) -> None:
    """As a copy of files alone leaves it."""
    copied = pipeline_for("raise", "west_side", settings)
    copied.extract([{"id": 7}], table_name="gifts")
    if came_to != "extracted":
        copied.normalize()
    if came_to == "loaded":
        copied.load()
    _remove_empty(Path(copied.working_dir))
    assert is_half_loaded("raise", "west_side", settings) is (came_to == "normalized")
    finish_pending("raise", settings)
    again = pipeline_for("raise", "west_side", settings)
    again.run([{"id": 8}], table_name="gifts")
    assert sorted(row[0] for row in again.dataset().gifts.fetchall()) == [7, 8]


def _remove_empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.is_dir():
            _remove_empty(child)
    if not any(folder.iterdir()):
        folder.rmdir()
