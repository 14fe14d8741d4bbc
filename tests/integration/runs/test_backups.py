"""A backup is there to go on from: what was put back is worked on as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.integration.conftest import Workplace


def test_runs_go_on_after_a_restore(place: Workplace) -> None:
    before, folders = place.raw(), {path for path in state(place) if path.is_dir()}
    # As a warehouse of before there were marks.
    with duckdb.connect(str(place.warehouse)) as connection:
        connection.execute("drop schema _tieout cascade")
    made = place.tieout("backup", "b")
    assert made.returncode == 0, made.stderr
    put_back = place.tieout("restore", "b")
    assert put_back.returncode == 0, put_back.stderr
    assert not folders <= set(state(place)), "dlt's empty folders are copied by now"
    done = place.tieout("run")
    assert done.returncode == 0, done.stderr
    assert place.raw() == before
    assert place.query("select count(*) from _tieout.warehouse") == [(1,)]


def state(place: Workplace) -> list[Path]:
    return list((place.warehouse.with_suffix(".state") / "dlt").rglob("*"))
