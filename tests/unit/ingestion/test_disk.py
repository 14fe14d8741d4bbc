"""A full disk is named for what it is at every stage. A limit on files of the process is as good as one, anywhere."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.disk import full_disk
from ingestion.errors import SourceBroken

# Everything that a stage needs is there before files may grow no further.
PROGRAM = """
import os, resource, sqlite3, sys
from pathlib import Path
import duckdb
from ingestion import warehouse
from ingestion.disk import full_disk
from ingestion.settings import Settings
from ingestion.sources import pipeline_for

folder = Path(sys.argv[2])
settings = Settings(warehouse_path=folder / "w.duckdb", _env_file=None)
warehouse.claim(settings.warehouse_path)
rows = [{{"id": number, "text": os.urandom(1000).hex()}} for number in range(500)]
pipeline = pipeline_for("raise", "west", settings)
pipeline.run([{{"id": 0, "text": ""}}], table_name="gifts")
with duckdb.connect(str(settings.warehouse_path)) as connection:
    connection.execute("create schema marts; create table marts.t as select uuid() as a from range({published})")

def load():
    pipeline.load()

def extract():
    pipeline.extract(rows, table_name="gifts")

def publish():
    from orchestration.publishing import publish
    publish(settings.warehouse_path, folder / "p.duckdb")

def account():
    connection = sqlite3.connect(folder / "runs.db")
    # SQLite tells a limit of the process apart from a full disk; this one it does not.
    connection.execute("pragma max_page_count = 20")
    connection.execute("create table t (a)")
    for row in rows:
        connection.execute("insert into t values (?)", [row["text"]])
    connection.commit()

def spill():
    config = {{"memory_limit": "40MB", "threads": 1, "temp_directory": str(folder / "spilt")}}
    connection = duckdb.connect(config=config)
    connection.execute("create table t as select uuid()::text || uuid()::text as a from range(1000000)")

if sys.argv[1] == "load":
    pipeline.extract(rows, table_name="gifts")
    pipeline.normalize()
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    globals()[sys.argv[1]]()
except Exception as error:
    print(full_disk(error) or repr(error))
    os._exit(0)
os._exit(3)
"""


@pytest.mark.parametrize("stage", ["extract", "load", "publish", "account", "spill"])
def test_every_stage_says_that_the_disk_is_full(stage: str, tmp_path: Path) -> None:
    published = 200_000 if stage == "publish" else 1
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(published=published), stage, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The disk is full"), done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_the_file_is_named_where_it_is_known() -> None:
    assert "/data/x could not be written" in str(full_disk(OSError(errno.ENOSPC, "No space left on device", "/data/x")))
    assert "/backup/w could not" in str(full_disk(OSError(errno.ENOSPC, "No space left", "/data/w", None, "/backup/w")))
    assert full_disk(OSError(errno.EACCES, "Permission denied", "/data/x")) is None


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), sqlite3.OperationalError("database or disk is full")]
)
def test_where_the_error_does_not_say_it_what_was_written_is_named(error: Exception) -> None:
    assert "used up: /data could not be written." in str(full_disk(error, Path("/data")))
    assert "used up. Make room" in str(full_disk(error))


def test_the_disk_of_an_api_is_not_ours() -> None:
    assert full_disk(SourceBroken("Raise", "/api/gift/list", "500: No space left on device")) is None
