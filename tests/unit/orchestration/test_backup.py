"""A backup is whole or not there; a restore loses nothing, whatever it is given and wherever it is cut off."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from ingestion import warehouse
from ingestion.errors import TieoutError, WarehouseLocked, WarehouseUnusable
from ingestion.settings import Settings
from orchestration import backup as subject
from orchestration import backup_files, turn
from orchestration import restore as restoring
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
    aside = restoring.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")
    assert not (settings.state_path / "new").exists()
    assert aside
    with duckdb.connect(str(aside / "w.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT version FROM raw_raise.donors").fetchall() == [(2,)]
    assert (aside / "state/salt").read_text() == "2"
    assert restoring.restore(settings, copy, on_wait=list) != aside, "a backup serves more than once"


def test_into_an_empty_place(settings: Settings, copy: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "elsewhere/other.duckdb"))
    other = Settings(_env_file=None)
    assert restoring.restore(other, copy, on_wait=list) is None
    assert held(other) == (1, "1", "1")


def test_a_damaged_warehouse_is_replaced(settings: Settings, copy: Path) -> None:
    settings.warehouse_path.write_text("not a database any more\n" * 1000)
    restoring.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")


def test_what_was_not_checkpointed_is_in_the_copy(settings: Settings, tmp_path: Path) -> None:
    program = (
        f"import duckdb, os; c = duckdb.connect({str(settings.warehouse_path)!r});"
        "c.execute('UPDATE raw_raise.donors SET version = 7'); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert settings.warehouse_path.with_name("w.duckdb.wal").exists()
    subject.backup(settings, tmp_path / "b", on_wait=list)
    restoring.restore(settings, tmp_path / "b", on_wait=list)
    assert held(settings)[0] == 7


def test_what_people_were_told_stays_and_locks_are_not_copied(settings: Settings, tmp_path: Path) -> None:
    told = settings.state_path / "alerts/webhook.json"
    told.parent.mkdir()
    told.write_text("{}")
    subject.backup(settings, tmp_path / "b", on_wait=list)
    told.write_text('{"run": {}}')
    restoring.restore(settings, tmp_path / "b", on_wait=list)
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

    original = subject.copy

    def copy(source: Path, target: Path) -> None:
        waited.append(is_free())
        original(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subject, "copy", copy)
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
    edit(copy, files={"warehouse.duckdb": backup_files.digest(copy / "warehouse.duckdb")})


def no_database(copy: Path) -> None:
    (copy / "warehouse.duckdb").write_text("text")
    edit(copy, files={"warehouse.duckdb": backup_files.digest(copy / "warehouse.duckdb")})


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
        (outside, "which no backup holds"),
        # Pairs are a dictionary too, of whatever keys.
        (lambda copy: edit(copy, files=[["warehouse.duckdb", "0"], [1, "0"]]), "which no backup holds"),
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
    with pytest.raises(backup_files.BackupUnusable) as caught:
        restoring.restore(settings, copy, on_wait=list)
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
            restoring.restore(settings, copy, on_wait=list)
        with pytest.raises(WarehouseLocked):
            subject.backup(settings, copy.with_name("second"), on_wait=list)
        holder.communicate("\n")
    assert not copy.with_name("second").exists()


@pytest.mark.parametrize("step", range(6))
@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
def test_a_restore_that_fails_in_the_middle_puts_everything_back(
    settings: Settings, copy: Path, monkeypatch: pytest.MonkeyPatch, step: int, error: BaseException
) -> None:
    fill(settings, 2)
    before = contents(settings.warehouse_path.parent)
    steps = []
    rename = os.rename

    def fail_once(source: Path, target: Path) -> None:
        steps.append(source)
        if len(steps) == step + 1:
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    with pytest.raises((backup_files.BackupImpossible, KeyboardInterrupt)) as caught:
        restoring.restore(settings, copy, on_wait=list)
    assert len(steps) > step
    if isinstance(error, OSError):
        assert "cannot be replaced (Input/output error)" in str(caught.value)
    assert contents(settings.warehouse_path.parent) == before
    restoring.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")


def contents(folder: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize("rest", [True, False])
def test_a_move_to_another_disk_is_taken_back_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rest: bool) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "folder").mkdir(parents=True)
    (source / "folder/file").write_text("1")
    (source / "link").symlink_to("folder")

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    moves = restoring._Moves()
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refuse)
        if rest:
            # It is all there, and of the old one something stays.
            patch.setattr(restoring, "_remove", lambda path: (path / "folder/file").unlink())
        moves.move(source, target)
    assert (target / "folder/file").read_text() == "1"
    assert source.exists() is rest
    moves.undo()
    assert {path.name for path in tmp_path.rglob("*")} == {"a", "folder", "file", "link"}
    assert (source / "link").is_symlink()


def test_a_move_to_another_disk_that_fails_leaves_nothing_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    (source / "file").write_text("1")

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    def break_off(_: Path, to: Path, **__: object) -> None:
        to.mkdir()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "rename", refuse)
    monkeypatch.setattr(shutil, "copytree", break_off)
    moves = restoring._Moves()
    with pytest.raises(OSError, match="Input/output"):
        moves.move(source, target)
    moves.undo()
    assert contents(tmp_path) == {source: None, source / "file": b"1"}


def test_a_restore_that_was_killed_between_its_moves_begins_no_empty_warehouse(settings: Settings, copy: Path) -> None:
    program = f"""
import os
from pathlib import Path
from ingestion.settings import load_settings
from orchestration import restore
move = restore._Moves.move
def end(self, source, target):
    if target.name == "w.duckdb" and "before" not in str(target):
        os._exit(9)
    move(self, source, target)
restore._Moves.move = end
restore.restore(load_settings(), Path({str(copy)!r}), on_wait=list)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9
    for look in (warehouse.check, warehouse.claim):
        with pytest.raises(WarehouseUnusable, match=r"a restore was cut off\): restore the backup again"):
            look(settings.warehouse_path)
    assert not settings.warehouse_path.exists()
    restoring.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")
    warehouse.check(settings.warehouse_path)


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
        # Nothing can be moved back either, except where nothing was moved.
        with pytest.raises(backup_files.BackupImpossible if step else KeyboardInterrupt) as caught:
            restoring.restore(settings, copy, on_wait=list)
    if step:
        (aside,) = settings.warehouse_path.parent.glob("*.before-*")
        assert f"it is in {aside};" in str(caught.value)
    everywhere = [file for file in settings.warehouse_path.parent.rglob("*") if file.is_file()]
    assert {file.read_text() for file in everywhere if file.name in ("salt", "pipeline.json")} >= {"2"}
    assert any(is_version(file, 2) for file in everywhere if file.name == "w.duckdb")
    shutil.rmtree(settings.warehouse_path.with_name(".w.duckdb.restoring"), ignore_errors=True)
    restoring.restore(settings, copy, on_wait=list)
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
        patch.setattr(subject, "copy", cut_off)
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
    aside = restoring.restore(settings, tmp_path / "b", on_wait=list)
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
        restoring.restore(settings, copy, on_wait=list)
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
from orchestration import backup, restore
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    {command}.{command}(load_settings(), Path({str(place if command == "backup" else large)!r}), on_wait=list)
except DiskFull as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"The disk is full, or its quota used up: {place} could not be written. Make room")
    assert {file: file.read_bytes() for file in settings.warehouse_path.parent.rglob("*") if file.is_file()} == before
    assert not (tmp_path / "new").exists() or not list((tmp_path / "new").iterdir())


def test_drafts_of_killed_backups_are_removed_and_nothing_else_is(settings: Settings, tmp_path: Path) -> None:
    program = f"""
import os, sys
from pathlib import Path
from ingestion.settings import load_settings
from orchestration import backup
def wait(source, target):
    target.write_text("half")
    if sys.argv[1] == "dies":
        os._exit(9)
    print("copying", flush=True)
    input()
    os._exit(9)
backup.copy = wait
place = Path({str(tmp_path / "backups")!r}) / sys.argv[1]
backup.backup(load_settings(), place, on_wait=list)
"""
    call = [sys.executable, "-c", program]
    assert subprocess.run([*call, "dies"], check=False).returncode == 9
    drafts = tmp_path / "backups"
    somebodys = drafts / ".notes.draft"
    (somebodys / "kept").mkdir(parents=True)
    assert {path.name for path in drafts.iterdir()} == {".dies.draft", ".notes.draft"}
    # Of another warehouse, into the same folder.
    other = {**os.environ, "WAREHOUSE_PATH": str(tmp_path / "other/w.duckdb")}
    shutil.copytree(settings.warehouse_path.parent, tmp_path / "other")
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*call, "lives"], env=other, **piped) as alive:
        assert alive.stdout
        assert alive.stdout.readline() == "copying\n"
        subject.backup(settings, drafts / "good", on_wait=list)
        assert {path.name for path in drafts.iterdir()} == {".lives.draft", ".notes.draft", "good"}
        with pytest.raises(backup_files.BackupImpossible, match="File exists"):
            subject.backup(settings, drafts / "lives", on_wait=list)
        assert (drafts / ".lives.draft/warehouse.duckdb").exists()
        alive.communicate("\n")
    subject.backup(settings, drafts / "next", on_wait=list)
    assert {path.name for path in drafts.iterdir()} == {".notes.draft", "good", "next"}
    assert (somebodys / "kept").is_dir()
    assert {path.name for path in (drafts / "next").iterdir()} == {"manifest.json", "state", "warehouse.duckdb"}


def test_a_backup_removes_what_a_killed_restore_left(settings: Settings, tmp_path: Path) -> None:
    left = settings.warehouse_path.with_name(".w.duckdb.restoring")
    (left / "state").mkdir(parents=True)
    subject.backup(settings, tmp_path / "b", on_wait=list)
    assert not left.exists()


def test_no_backup_goes_into_what_is_copied(settings: Settings) -> None:
    with pytest.raises(backup_files.BackupImpossible, match="which is copied"):
        subject.backup(settings, settings.state_path / "deep/b", on_wait=list)
    assert not (settings.state_path / "deep").exists()


CRAFTED = [
    "../outside", "state/../../outside", "state/..", "/etc/passwd", "//etc/passwd", "state", "state/", "", ".",
    "./state/a", "state/./a", "state//a", "other", "other/a", "manifest.json", "Warehouse.duckdb", "STATE/a",
    "warehouse.duckdb.wal", "warehouse.duckdb/a", "state/run.lock", "state/deep/any.lock",
    "state/alerts/webhook.json", "state/ALERTS/webhook.json", "state\\..\\..\\outside", "C:\\outside",
    "state/a\nb", "state/\x1b]0;title\x07", "state/a\0b", "state/\ud800",
]  # fmt: skip


@pytest.mark.parametrize("name", CRAFTED)
def test_a_backup_that_lists_anything_else_is_refused(settings: Settings, copy: Path, name: str) -> None:
    """However right the checksum is: whoever can write the file can write the manifest."""
    (copy / "outside").write_text("x")
    (copy.parent / "outside").write_text("x")
    with contextlib.suppress(OSError, ValueError):
        file = copy / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text("x")
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit(copy, files=files | {name: hashlib.sha256(b"x").hexdigest()})
    refused(settings, copy, "which no backup holds")


def test_a_way_out_over_a_link_is_refused(settings: Settings, copy: Path) -> None:
    """In the backup it ends inside of it; in the draft, which has no such link, it led outside."""
    (copy / "state/d/e/f").mkdir(parents=True)
    (copy / "link").symlink_to("state/d/e/f")
    (copy / "state/planted").write_text("x")
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit(copy, files=files | {"link/../../../planted": hashlib.sha256(b"x").hexdigest()})
    refused(settings, copy, "which no backup holds")


def refused(settings: Settings, copy: Path, says: str) -> None:
    fill(settings, 2)
    everything = settings.warehouse_path.parents[1]
    before = contents(everything)
    with pytest.raises(backup_files.BackupUnusable) as caught:
        restoring.restore(settings, copy, on_wait=list)
    assert says in str(caught.value)
    assert str(caught.value).isprintable()
    after = contents(everything)
    after.pop(settings.state_path / "run.lock", None)
    before.pop(settings.state_path / "run.lock", None)
    assert after == before


@pytest.mark.parametrize("part", ["state/salt", "state/dlt", "state", "warehouse.duckdb"])
@pytest.mark.parametrize("inside", [True, False])
def test_a_backup_with_links_is_refused(
    settings: Settings, copy: Path, tmp_path: Path, part: str, inside: bool
) -> None:
    target = (copy if inside else tmp_path) / "target"
    shutil.move(copy / part, target)
    (copy / part).symlink_to(target)
    refused(settings, copy, "is a link, which no backup holds")


def test_a_manifest_that_is_a_link_or_no_file_is_refused(settings: Settings, copy: Path, tmp_path: Path) -> None:
    manifest = copy / "manifest.json"
    shutil.move(manifest, tmp_path / "m")
    manifest.symlink_to(tmp_path / "m")
    refused(settings, copy, "is no backup")
    manifest.unlink()
    os.mkfifo(manifest)
    with pytest.raises(backup_files.BackupUnusable):
        restoring.restore(settings, copy, on_wait=list)
    manifest.unlink()
    manifest.write_text("[" * 100_000)
    refused(settings, copy, "is no backup")


@pytest.mark.parametrize("name", ["salt", "n" * 300, "tab/" * 2000 + "a"])
def test_what_is_no_plain_file_is_refused(settings: Settings, copy: Path, name: str) -> None:
    files = json.loads((copy / "manifest.json").read_text())["files"]
    edit(copy, files=files | {f"state/{name}": files["state/salt"]})
    (copy / "state/salt").unlink()
    os.mkfifo(copy / "state/salt")
    with pytest.raises(backup_files.BackupUnusable, match="is missing or damaged"):
        restoring.restore(settings, copy, on_wait=list)


def test_what_a_backup_does_not_list_stays_there(settings: Settings, copy: Path, tmp_path: Path) -> None:
    """What copying tools and people leave in folders. A log beside the warehouse would change what it holds."""
    (copy / "state/.DS_Store").write_text("x")
    (copy / "notes.txt").write_text("x")
    (copy / "state/way_out").symlink_to(tmp_path)
    (copy / "warehouse.duckdb.wal").write_text("not a log")
    restoring.restore(settings, copy, on_wait=list)
    assert held(settings) == (1, "1", "1")
    kept = {path.name for path in settings.state_path.iterdir()}
    assert kept - {"run.lock"} == {"dlt", "salt"}
    assert not settings.warehouse_path.with_name("w.duckdb.wal").exists()


def test_hard_links_and_a_link_to_the_backup_itself_are_fine(settings: Settings, copy: Path, tmp_path: Path) -> None:
    """As tools make them that keep many copies. What is restored is nobody else's file."""
    (tmp_path / "same").hardlink_to(copy / "warehouse.duckdb")
    (copy.parent / "latest").symlink_to(copy)
    restoring.restore(settings, copy.parent / "latest", on_wait=list)
    assert held(settings) == (1, "1", "1")
    assert settings.warehouse_path.stat().st_nlink == 1


def test_odd_names_of_the_state_come_back(settings: Settings, tmp_path: Path) -> None:
    names = ["Zoë", " a b ", "a:b", "..a", "a..", "'\"$`", os.fsdecode(b"\xff\xfe")]
    for name in names:
        (settings.state_path / name).write_text(name, errors="surrogateescape")
    subject.backup(settings, tmp_path / "b", on_wait=list)
    shutil.rmtree(settings.state_path)
    restoring.restore(settings, tmp_path / "b", on_wait=list)
    assert {path.name for path in settings.state_path.iterdir()} >= set(names)


def test_a_restored_warehouse_has_the_mode_of_the_one_before_and_not_of_the_backup(
    settings: Settings, copy: Path
) -> None:
    umask = os.umask(0o077)
    for file in (copy / "warehouse.duckdb", copy / "state/salt"):
        file.chmod(0o666)
    settings.warehouse_path.chmod(0o640)
    restoring.restore(settings, copy, on_wait=list)
    assert settings.warehouse_path.stat().st_mode & 0o777 == 0o640
    assert (settings.state_path / "salt").stat().st_mode & 0o777 == 0o600
    settings.warehouse_path.unlink()
    restoring.restore(settings, copy, on_wait=list)
    assert settings.warehouse_path.stat().st_mode & 0o777 == 0o600
    os.umask(umask)
