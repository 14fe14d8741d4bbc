"""Nobody else reads what tieout writes, whatever the umask of who starts it."""

from __future__ import annotations

import os
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from ingestion.settings import Settings
from orchestration import backup, dbt, doctor, turn
from orchestration import private_files as subject
from orchestration.cli.terminal import chatter_kept_in
from orchestration.instance import open_instance
from orchestration.private_files import barriers
from orchestration.publishing import publish


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that others can enter."""
    folder = tmp_path / "place"
    folder.mkdir(mode=0o755)
    monkeypatch.chdir(folder)
    for name in (*Settings.model_fields, "dagster_home"):
        monkeypatch.delenv(name.upper(), raising=False)
    # The folders above are pytest's, and closed.
    for module in (subject, doctor):
        monkeypatch.setattr(
            module, "barriers", lambda path, mode: [f for f in barriers(path, mode) if folder in f.parents]
        )
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_command_makes_files_for_its_user_alone(tieout: Callable[..., object]) -> None:
    tieout("--version")
    assert os.umask(0o022) == 0o077


def test_the_definitions_are_loaded_so_too_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop() -> None:
        raise FileNotFoundError

    # Of the module nothing changes: it ends where it would write first.
    monkeypatch.setattr(dbt, "prepared_manifest", stop)
    monkeypatch.delitem(sys.modules, "orchestration.definitions", raising=False)
    with pytest.raises(FileNotFoundError):
        runpy.run_module("orchestration.definitions")
    assert os.umask(0o022) == 0o077


def test_what_is_written_is_for_its_user_alone(place: Path) -> None:
    subject.keep_files_private()
    settings = Settings(_env_file=None)
    with turn.taken(settings, on_wait=list), chatter_kept_in(settings.state_path / "logs/run.log"):
        print("said")
    program = (
        f"import duckdb, os; c = duckdb.connect({str(settings.warehouse_path)!r});"
        "c.execute('CREATE SCHEMA marts; CREATE TABLE marts.gifts AS SELECT 1 AS id'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    log = settings.warehouse_path.with_name("warehouse.duckdb.wal")
    assert mode(log) == 0o600
    publish(settings.warehouse_path, settings.published_path)
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE SCHEMA raw_raise; CREATE TABLE raw_raise.load_audit (organization TEXT)")
    backup.backup(settings, place / "b", on_wait=list)
    with open_instance():
        pass
    found = {path.relative_to(place): mode(path) for path in place.rglob("*") if path.is_dir() or path.is_file()}
    assert len(found) > 12
    assert {path: f"{rights:o}" for path, rights in found.items() if rights & 0o077} == {}


def spilled(folder: Path) -> set[int]:
    """The modes of DuckDB's temporary files and their folder."""
    with duckdb.connect(str(folder / "w.duckdb"), config={"memory_limit": "60MB", "threads": 1}) as connection:
        connection.execute("CREATE TEMP TABLE a AS SELECT range AS id, md5(range::text) AS text FROM range(1500000)")
        temporary = folder / "w.duckdb.tmp"
        return {mode(path) for path in (temporary, *temporary.iterdir())}


def test_temporary_files_of_duckdb_are_so_too(place: Path) -> None:
    subject.keep_files_private()
    found = spilled(place)
    assert found
    assert all(rights & 0o077 == 0 for rights in found)


@pytest.fixture
def warehouse(place: Path) -> Path:
    path = place / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA marts; CREATE TABLE marts.gifts AS SELECT 1 AS id")
    return path


def test_a_first_readers_file_is_its_owners_and_a_mode_that_was_given_stays(warehouse: Path, place: Path) -> None:
    published = place / "new/readers/t.duckdb"
    publish(warehouse, published)
    assert [mode(path) for path in (published, published.parent, published.parents[1])] == [0o600, 0o700, 0o700]
    published.chmod(0o644)
    publish(warehouse, published)
    assert mode(published) == 0o644


@pytest.mark.parametrize(("wanted", "folder"), [(0o640, 0o750), (0o644, 0o755), (0o600, 0o700), (0o660, 0o750)])
def test_a_mode_that_is_set_is_that_of_every_readers_file(
    warehouse: Path, place: Path, wanted: int, folder: int
) -> None:
    subject.keep_files_private()
    published = place / "new/readers/t.duckdb"
    for before in (None, 0o604):
        if before:
            published.chmod(before)
        publish(warehouse, published, wanted)
        assert mode(published) == wanted
        assert {mode(published.parent), mode(published.parents[1])} == {folder}
    assert mode(place) == 0o755


def test_a_file_system_without_modes_stops_nothing(
    warehouse: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "chmod", refuse)
    published = place / "new/t.duckdb"
    for _ in range(2):
        publish(warehouse, published, 0o640)
    assert published.exists()


def rights(**values: object) -> list[str]:
    return [finding.text for finding in doctor._rights(Settings(**values))]


def test_doctor_names_what_others_can_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rights() == []
    secret, organizations = place / ".env", place / "o.toml"
    for path in (secret, organizations):
        path.write_text("")
        path.chmod(0o640)
    state = place / "data/warehouse.state"
    state.mkdir(parents=True)
    (place / "data/warehouse.duckdb").touch()
    assert rights(organizations_file=organizations) == [
        f"{path} is open to other users of this machine: chmod {m} {path}."
        for path, m in ((Path(".env"), 600), (organizations, 600), (place / "data/warehouse.duckdb", 600), (state, 700))
    ]
    (place / "data").chmod(0o700)
    secret.chmod(0o600)
    organizations.chmod(0o400)
    assert rights(organizations_file=organizations) == []


def test_doctor_names_a_folder_that_keeps_readers_out(place: Path) -> None:
    (place / "data").mkdir(mode=0o700)
    assert rights() == []
    (told,) = rights(published_mode="0640")
    assert told.startswith(f"PUBLISHED_MODE lets others read {place}/data/published/tieout.duckdb")
    assert f"the folder {place}/data does not let them in" in told
    (place / "data").chmod(0o710)
    assert rights(published_mode="0640") == []
    assert len(rights(published_mode="0644")) == 1
