"""A backup is whole or not there; a restore loses nothing, whatever it is given and wherever it is cut off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from ingestion.errors import TieoutError, WarehouseLocked
from ingestion.settings import Settings
from orchestration import backup as subject
from orchestration import turn
from orchestration.cli import backup as commands


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "data/w.duckdb"))
    made = Settings(_env_file=None)
    made.state_path.mkdir(parents=True)
    fill(made, 1)
    return made


def fill(settings: Settings, version: int) -> None:
    """A warehouse and working state that can be told from another."""
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS raw_raise")
        connection.execute("CREATE TABLE IF NOT EXISTS raw_raise.load_audit (organization TEXT)")
        connection.execute(f"CREATE OR REPLACE TABLE raw_raise.donors AS SELECT {version} AS version")
    for name in ("dlt/pipeline.json", "salt"):
        (settings.state_path / name).parent.mkdir(exist_ok=True)
        (settings.state_path / name).write_text(str(version))


def held(settings: Settings) -> tuple[object, ...]:
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        ((version,),) = connection.execute("SELECT version FROM raw_raise.donors").fetchall()
    return version, *((settings.state_path / name).read_text() for name in ("dlt/pipeline.json", "salt"))


@pytest.fixture
def copy(settings: Settings, tmp_path: Path) -> Path:
    folder = tmp_path / "backups/first"
    subject.backup(settings, folder, on_wait=list)
    return folder


def test_there_and_back(settings: Settings, copy: Path) -> None:
    fill(settings, 2)
    (settings.state_path / "new").write_text("made since")
    aside = subject.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")
    assert not (settings.state_path / "new").exists()
    assert aside
    with duckdb.connect(str(aside / "w.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT version FROM raw_raise.donors").fetchall() == [(2,)]
    assert (aside / "state/salt").read_text() == "2"
    assert subject.restore(settings, copy, on_wait=list) != aside, "a backup serves more than once"


def test_into_an_empty_place(settings: Settings, copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "elsewhere/other.duckdb"))
    other = Settings(_env_file=None)
    assert subject.restore(other, copy, on_wait=list) is None
    assert held(other) == (1, "1", "1")


def test_a_damaged_warehouse_is_replaced(settings: Settings, copy: Path) -> None:
    settings.warehouse_path.write_text("not a database any more\n" * 1000)
    subject.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")


def test_what_was_not_checkpointed_is_in_the_copy(settings: Settings, tmp_path: Path) -> None:
    program = (
        f"import duckdb, os; c = duckdb.connect({str(settings.warehouse_path)!r});"
        "c.execute('UPDATE raw_raise.donors SET version = 7'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert settings.warehouse_path.with_name("w.duckdb.wal").exists()
    subject.backup(settings, tmp_path / "b", on_wait=list)
    subject.restore(settings, tmp_path / "b", on_wait=list)
    assert held(settings)[0] == 7


def test_what_people_were_told_stays_and_locks_are_not_copied(settings: Settings, tmp_path: Path) -> None:
    told = settings.state_path / "alerts/webhook.json"
    told.parent.mkdir()
    told.write_text("{}")
    subject.backup(settings, tmp_path / "b", on_wait=list)
    told.write_text('{"run": {}}')
    subject.restore(settings, tmp_path / "b", on_wait=list)
    assert told.read_text() == '{"run": {}}'
    assert {path.name for path in (tmp_path / "b").rglob("*") if path.is_file()} == {
        "manifest.json", "warehouse.duckdb", "pipeline.json", "salt",
    }  # fmt: skip


def test_it_waits_for_a_run_and_a_run_for_it(settings: Settings, tmp_path: Path) -> None:
    waited = []

    def is_free() -> bool:
        code = (
            "from ingestion.settings import load_settings; from orchestration.turn import taken\n"
            "with taken(load_settings(), wait=False, on_wait=list): pass"
        )
        return subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0

    original = subject._copy

    def copy(source: Path, target: Path) -> None:
        waited.append(is_free())
        original(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "_copy", copy)
        subject.backup(settings, tmp_path / "b", on_wait=list)
    assert waited
    assert not any(waited)
    assert is_free()


def damage_byte(copy: Path) -> None:
    file = copy / "warehouse.duckdb"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def edit(copy: Path, **changes: object) -> None:
    file = copy / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def other_database(copy: Path) -> None:
    (copy / "warehouse.duckdb").unlink()
    with duckdb.connect(str(copy / "warehouse.duckdb")) as connection:
        connection.execute("CREATE TABLE notes AS SELECT 1")
    edit(copy, files={"warehouse.duckdb": subject._digest(copy / "warehouse.duckdb")})


def no_database(copy: Path) -> None:
    (copy / "warehouse.duckdb").write_text("text")
    edit(copy, files={"warehouse.duckdb": subject._digest(copy / "warehouse.duckdb")})


def outside(copy: Path) -> None:
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit(copy, files=files | {"../outside": "0"})


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (damage_byte, "is missing or damaged"),
        (lambda copy: (copy / "state/salt").unlink(), "is missing or damaged"),
        (lambda copy: (copy / "manifest.json").unlink(), "is no backup"),
        (lambda copy: (copy / "manifest.json").write_text("{}"), "is no backup"),
        (lambda copy: (copy / "manifest.json").write_text("[1]"), "is no backup"),
        (lambda copy: edit(copy, kind="something else"), "is no backup of a warehouse"),
        (lambda copy: edit(copy, files={}), "is no backup of a warehouse"),
        (lambda copy: edit(copy, format=2), "was made by a newer tieout"),
        (outside, "names files outside"),
        (no_database, "it is no DuckDB file"),
        (other_database, "it holds main.notes"),
        (shutil.rmtree, "is no backup"),
    ],
)
def test_what_is_no_whole_backup_is_refused(
    settings: Settings, copy: Path, harm: Callable[[Path], object], says: str
) -> None:
    harm(copy)
    fill(settings, 2)
    with pytest.raises(subject.BackupUnusable) as caught:
        subject.restore(settings, copy, on_wait=list)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert held(settings) == (2, "2", "2")


def test_a_warehouse_that_somebody_has_open_is_left_alone(settings: Settings, copy: Path) -> None:
    program = f"import duckdb; c = duckdb.connect({str(settings.warehouse_path)!r}); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(WarehouseLocked):
            subject.restore(settings, copy, on_wait=list)
        with pytest.raises(WarehouseLocked):
            subject.backup(settings, copy.with_name("second"), on_wait=list)
        holder.communicate("\n")
    assert not copy.with_name("second").exists()


@pytest.mark.parametrize("step", range(6))
def test_a_restore_that_is_cut_off_loses_nothing_and_can_be_done_again(
    settings: Settings, copy: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    fill(settings, 2)
    steps = []
    rename = os.rename

    def cut_off(source: Path, target: Path) -> None:
        steps.append(source)
        if len(steps) > step:
            raise KeyboardInterrupt
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", cut_off)
        with pytest.raises(KeyboardInterrupt):
            subject.restore(settings, copy, on_wait=list)
    everywhere = [file for file in settings.warehouse_path.parent.rglob("*") if file.is_file()]
    assert {file.read_text() for file in everywhere if file.name in ("salt", "pipeline.json")} >= {"2"}
    assert any(is_version(file, 2) for file in everywhere if file.name == "w.duckdb")
    shutil.rmtree(settings.warehouse_path.with_name(".w.duckdb.restoring"), ignore_errors=True)
    subject.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")


def is_version(file: Path, version: int) -> bool:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute("SELECT version FROM raw_raise.donors").fetchall() == [(version,)]


def test_nothing_to_copy_and_no_place_for_it(settings: Settings, copy: Path, tmp_path: Path) -> None:
    with pytest.raises(TieoutError, match="exists already"):
        subject.backup(settings, copy, on_wait=list)
    (tmp_path / "file").write_text("")
    with pytest.raises(TieoutError, match="cannot be written"):
        subject.backup(settings, tmp_path / "file/b", on_wait=list)
    settings.warehouse_path.unlink()
    with pytest.raises(TieoutError, match="nothing to back up"):
        subject.backup(settings, tmp_path / "b", on_wait=list)


def test_a_backup_that_is_cut_off_leaves_nothing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(subject, "_copy", cut_off)
        with pytest.raises(KeyboardInterrupt):
            subject.backup(settings, tmp_path / "backups/b", on_wait=list)
    assert not list((tmp_path / "backups").iterdir())
    with turn.taken(settings, on_wait=list, wait=False):
        pass


def test_the_commands(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    commands.backup()
    (folder,) = (settings.warehouse_path.parent / "backups").iterdir()
    fill(settings, 2)
    commands.restore(folder)
    assert held(settings) == (1, "1", "1")
    told = " ".join(capsys.readouterr().out.split())
    assert f"was copied to {folder}" in told
    assert "What was there is in" in told


def test_a_link_stays_and_what_it_points_to_is_replaced(settings: Settings, tmp_path: Path) -> None:
    """A warehouse, and its state, that were put on another disk stay there."""
    disk = tmp_path / "disk"
    disk.mkdir()
    for path in (settings.warehouse_path, settings.state_path):
        shutil.move(path, disk / path.name)
        path.symlink_to(disk / path.name)
    subject.backup(settings, tmp_path / "b", on_wait=list)
    fill(settings, 2)
    aside = subject.restore(settings, tmp_path / "b", on_wait=list)
    assert settings.warehouse_path.is_symlink()
    assert settings.state_path.is_symlink()
    assert held(settings) == (1, "1", "1")
    assert is_version(disk / "w.duckdb", 1)
    assert aside
    assert aside.parent == disk
    assert is_version(aside / "w.duckdb", 2)
    assert (aside / "state/salt").read_text() == "2"
    assert {path.name for path in disk.iterdir()} == {"w.duckdb", "w.state", aside.name}


def test_a_link_to_nothing_is_no_place_for_a_restore(settings: Settings, copy: Path, tmp_path: Path) -> None:
    """The disk that it points to may not be mounted."""
    settings.warehouse_path.unlink()
    settings.warehouse_path.symlink_to(tmp_path / "absent/w.duckdb")
    with pytest.raises(TieoutError, match="absent, where it points to, does not exist"):
        subject.restore(settings, copy, on_wait=list)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_full_disk_is_named_and_leaves_nothing(settings: Settings, copy: Path, tmp_path: Path, command: str) -> None:
    with duckdb.connect(str(settings.warehouse_path)) as connection:
        connection.execute("CREATE TABLE raw_raise.filler AS SELECT uuid() AS a FROM range(100000)")
    large = tmp_path / "large"
    subject.backup(settings, large, on_wait=list)
    place = tmp_path / "new/b" if command == "backup" else settings.warehouse_path.parent
    before = {file: file.read_bytes() for file in settings.warehouse_path.parent.rglob("*") if file.is_file()}
    program = f"""
import resource, sys
from pathlib import Path
from ingestion.disk import DiskFull
from ingestion.settings import load_settings
from orchestration import backup
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    backup.{command}(load_settings(), Path({str(place if command == "backup" else large)!r}), on_wait=list)
except DiskFull as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"The disk is full, or its quota used up: {place} could not be written. Make room")
    assert {file: file.read_bytes() for file in settings.warehouse_path.parent.rglob("*") if file.is_file()} == before
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())
