from __future__ import annotations

import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from ingestion import machine
from ingestion.settings import Paths
from orchestration import dbt


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "gifts.sql").write_text("select 1")
    return tmp_path


def test_the_fingerprint_sees_contents_names_and_nothing_else(project: Path) -> None:
    before = dbt._fingerprint(project)
    (project / "target").mkdir()
    (project / "target" / "manifest.json").write_text("{}")
    (project / ".user.yml").write_text("id: 1")
    (project / "models" / "gifts.sql").touch()
    assert dbt._fingerprint(project) == before
    (project / "models" / "gifts.sql").write_text("select 2")
    changed = dbt._fingerprint(project)
    assert changed != before
    (project / "models" / "gifts.sql").rename(project / "models" / "presents.sql")
    assert dbt._fingerprint(project) != changed


@pytest.fixture
def parsed(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """When each parse began that wrote a manifest; it takes a while, and writes half of it first."""
    began: list[float] = []

    def parse(folder: Path, _: Paths) -> None:
        began.append(time.monotonic())
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_text('{"sources"')
        time.sleep(0.2)
        (folder / "manifest.json").write_text('{"sources": {}}')

    monkeypatch.setenv("WAREHOUSE_PATH", str(tmp_path / "state" / "w.duckdb"))
    monkeypatch.setattr(dbt, "project_path", lambda: project / "models")
    monkeypatch.setattr(dbt, "_parse", parse)
    return began


def test_of_those_who_start_at_once_one_parses_and_all_read_the_whole(parsed: list[float]) -> None:
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(lambda: json.loads(dbt.prepared_manifest().read_bytes())) for _ in range(4)]
    assert [one.result() for one in found] == [{"sources": {}}] * 4
    assert len(parsed) == 1


def test_a_parse_that_was_cut_off_is_done_again(
    parsed: list[float], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest, model = dbt.prepared_manifest(), project / "models" / "gifts.sql"
    before = model.read_text()
    model.write_text("select 2")

    def cut_off(folder: Path, _: Paths) -> None:
        (folder / "manifest.json").write_text('{"sources"')
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(dbt, "_parse", cut_off)
        with pytest.raises(KeyboardInterrupt):
            dbt.prepared_manifest()
    model.write_text(before)
    assert json.loads(dbt.prepared_manifest().read_bytes()) == {"sources": {}}
    assert manifest.exists()


def _failure(folder: Path, *results: dict[str, str | None]) -> str:
    (folder / "run_results.json").write_text(json.dumps({"results": results}))
    return str(dbt.failure(folder, "many\nlines"))


def test_a_failure_names_what_failed(tmp_path: Path) -> None:
    said = _failure(
        tmp_path,
        {"unique_id": "model.tieout.recon_gifts", "status": "error", "message": "Binder Error"},
        {"unique_id": "test.tieout.unique_recon_gifts_raise_id.5af3", "status": "fail", "message": None},
        {"unique_id": "test.tieout.late_gifts", "status": "warn", "message": "Got 3 results"},
        {"unique_id": "model.tieout.recon_summary", "status": "skipped", "message": None},
    )
    assert "2 of 4 failed: recon_gifts, unique_recon_gifts_raise_id; rows stand twice: the next run makes" in said
    assert str(tmp_path / "dbt.log") in said
    assert "\n" not in said
    assert "memory" not in said


def test_a_failure_for_want_of_memory_says_what_to_do(tmp_path: Path) -> None:
    message = "Runtime Error in model gifts\n  Out of Memory Error: could not allocate block of size 256.0 KiB"
    said = _failure(tmp_path, {"unique_id": "model.tieout.gifts", "status": "error", "message": message})
    assert "failed: gifts; the memory that WAREHOUSE_MEMORY_LIMIT allows was not enough: allow more. Nothing" in said


def test_a_failure_for_the_heading_of_a_seed_says_what_it_lacks(tmp_path: Path) -> None:
    message = (
        "Compilation Error in seed waivers\n  seeds/waivers.csv, line 1: the heading lacks code.\n\n  > in macro seed"
    )
    said = _failure(tmp_path, {"unique_id": "seed.tieout.waivers", "status": "error", "message": message})
    assert "failed: waivers; seeds/waivers.csv, line 1: the heading lacks code. Nothing was published" in said


@pytest.mark.parametrize(
    ("said", "is_named"),
    [
        ("UnicodeDecodeError: 'utf-8' codec can't decode", True),
        ("file not valid UTF-8", True),
        ("Could not set lock", False),
    ],
)
def test_a_file_that_is_no_utf_8_is_named_where_that_is_the_trouble(project: Path, said: str, is_named: bool) -> None:
    (project / "seeds").mkdir()
    (project / "seeds" / "waivers.xlsx").write_bytes(b"\xff")
    assert dbt._odd_encoding(project, said) is None
    (project / "seeds" / "waivers.csv").write_bytes("organization,reason\na,Montréal\n".encode("cp1252"))
    named = "seeds/waivers.csv, line 2, is no UTF-8: save the file as CSV UTF-8"
    assert dbt._odd_encoding(project, said) == (named if is_named else None)


@pytest.mark.parametrize(
    "message",
    [
        "Out of Memory Error: failed to offload data block: this limit was set by 'max_temp_directory_size'",
        'IO Error: Could not write file "/data/w.duckdb.wal": No space left on device',
    ],
)
def test_a_full_disk_is_named_and_is_no_want_of_memory(tmp_path: Path, message: str) -> None:
    said = _failure(tmp_path, {"unique_id": "model.tieout.gifts", "status": "error", "message": message})
    place = "/data/w.duckdb.wal" if "wal" in message else tmp_path
    assert f"the disk of {place} is full, or its quota used up: make room and run again" in said
    assert "memory" not in said


@pytest.mark.parametrize(("told", "size"), [("512.0 MiB", 2**29), ("1.5 GiB", 1.5 * 2**30), ("9 bytes", 9)])
def test_sizes_as_duckdb_tells_them(told: str, size: float) -> None:
    assert machine.as_bytes(told) == size


@pytest.mark.parametrize(
    ("test", "status", "is_twice"),
    [
        ("primary_key_gifts_organization__gift_id", "fail", True),
        ("unique_combination_recon_gifts_organization__raise_id", "fail", True),
        ("unique_combination_recon_gifts_organization__raise_id", "pass", False),
        ("not_null_gifts_gift_id", "fail", False),
    ],
)
def test_rows_that_stand_twice_are_known_until_the_next_run(
    tmp_path: Path, test: str, status: str, is_twice: bool
) -> None:
    settings = Paths(warehouse_path=tmp_path / "warehouse.duckdb")
    assert not dbt.rows_stand_twice(settings)
    target = dbt.fresh_target(settings)
    result = {"unique_id": f"test.tieout.{test}.1234", "status": status, "message": "Got 2 results"}
    (target / "run_results.json").write_text(json.dumps({"results": [result]}))
    assert dbt.rows_stand_twice(settings) is is_twice
    assert ("; rows stand twice: the next run makes all tables anew." in str(dbt.failure(target, ""))) is is_twice
    dbt.fresh_target(settings)
    assert not dbt.rows_stand_twice(settings)


def test_a_failure_before_any_result_says_what_dbt_said_last(tmp_path: Path) -> None:
    said = str(dbt.failure(tmp_path, "Encountered an error:\n\nCompilation Error in model x\n"))
    assert said.startswith("dbt: Compilation Error in model x.")


def test_the_profile_is_told_where_the_warehouse_is_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion.settings import Settings

    monkeypatch.delenv("WAREHOUSE_PATH", raising=False)
    monkeypatch.setenv("WAREHOUSE_MEMORY_LIMIT", "2GB")
    with dbt.environment(Settings(warehouse_path=Path("/somewhere/w.duckdb"), warehouse_memory_limit="4GB")):
        assert os.environ["WAREHOUSE_PATH"] == "/somewhere/w.duckdb"
        assert os.environ["WAREHOUSE_MEMORY_LIMIT"] == "4GB"
    assert "WAREHOUSE_PATH" not in os.environ
    assert os.environ["WAREHOUSE_MEMORY_LIMIT"] == "2GB"


def test_dbt_gets_no_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the run nor the parse, by a program in its place that says what it was given."""
    from dagster_dbt import DbtCliResource

    from ingestion.settings import Settings
    from orchestration.resources import Transformer

    given = {name.upper(): "marked" for name in Settings.model_fields if "path" not in name}
    given |= {"NORTH_TOKEN": "marked", "HTTPS_PROXY": "http://me:marked@proxy:3128", "AWS_SECRET_ACCESS_KEY": "marked"}
    dump = tmp_path / "dump"
    dump.write_text(f"#!/bin/sh\nenv >> {tmp_path}/environment.$1\n")
    dump.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DBT_THREADS", "3")
    monkeypatch.setattr(dbt, "command", lambda: [str(dump)])
    monkeypatch.setattr(DbtCliResource, "validate_dbt_executable", lambda value: value, raising=False)
    dbt._parse(tmp_path / "parse", settings)
    before = dict(os.environ)
    with dbt.environment(settings):
        transformer = Transformer(project_dir=str(dbt.project_path()), dbt_executable=str(dump))
        transformer.cli(["build"], target_path=tmp_path / "target", raise_on_error=False).wait()
    assert dict(os.environ) == before
    for command in ("--quiet", "build"):
        told = (tmp_path / f"environment.{command}").read_text()
        assert "marked" not in told
        names = {line.split("=")[0] for line in told.splitlines()}
        assert {"PATH", "WAREHOUSE_PATH", "DBT_THREADS", "TIEOUT_PARENT"} <= names
        assert not names & given.keys() - {"WAREHOUSE_MEMORY_LIMIT"}


def test_a_small_warehouse_is_built_within_a_small_limit_and_a_large_one_within_that_of_duckdb(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = dbt.memory(tmp_path / "none_yet.duckdb")
    profile = (dbt.project_path() / "profiles.yml").read_text()
    assert f"env_var('WAREHOUSE_MEMORY_LIMIT', '{small['WAREHOUSE_MEMORY_LIMIT']}')" in profile
    assert set(re.findall(r"env_var\('(\w+)'", profile)) == {"WAREHOUSE_PATH", *small}
    with duckdb.connect(str(tmp_path / "w.duckdb")) as connection:
        connection.execute("create table gifts as select 1")
        assert dbt.memory(tmp_path / "w.duckdb") == small
        monkeypatch.setattr(dbt, "_SMALL", 0)
        large = dbt.memory(tmp_path / "w.duckdb")["WAREHOUSE_MEMORY_LIMIT"]
        assert connection.execute("select current_setting('memory_limit')").fetchone() == (large,)
        connection.execute(f"set memory_limit = '{large}'")


@pytest.mark.parametrize("limit", [None, "400MB", "100TB"])
def test_duckdb_keeps_no_more_than_it_accepts(tmp_path: Path, limit: str | None) -> None:
    told = dbt.memory(tmp_path / "none_yet.duckdb", limit)
    with duckdb.connect() as connection:
        connection.execute(f"set block_allocator_memory = '{told['WAREHOUSE_KEPT_MEMORY']}'")
        connection.execute(f"set memory_limit = '{told['WAREHOUSE_MEMORY_LIMIT']}'")
    assert machine.as_bytes(told["WAREHOUSE_KEPT_MEMORY"]) > 2**28


def test_what_the_settings_say_of_memory_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from ingestion.settings import Settings

    monkeypatch.chdir(tmp_path)
    with dbt.environment(Settings()):
        assert (
            os.environ["WAREHOUSE_MEMORY_LIMIT"] == dbt.memory(tmp_path / "none_yet.duckdb")["WAREHOUSE_MEMORY_LIMIT"]
        )
    with dbt.environment(Settings(warehouse_memory_limit="7GB")):
        assert os.environ["WAREHOUSE_MEMORY_LIMIT"] == "7GB"
