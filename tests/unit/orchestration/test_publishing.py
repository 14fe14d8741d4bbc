from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from ingestion import masking
from orchestration import publishing as subject
from orchestration.publishing import publish


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA marts; CREATE SCHEMA raw_raise")
        connection.execute("CREATE TABLE raw_raise.donors AS SELECT 'someone@example.org' AS email")
        connection.execute("CREATE TABLE marts.gifts AS SELECT 1 AS id, 10.50::DECIMAL(18,2) AS amount")
        connection.execute("CREATE VIEW marts.donors AS SELECT email FROM raw_raise.donors")
        connection.execute("COMMENT ON TABLE marts.gifts IS 'One row per gift; it''s all'")
        connection.execute("COMMENT ON COLUMN marts.gifts.amount IS 'What was given'")
    return path


@pytest.fixture
def published(tmp_path: Path) -> Path:
    return tmp_path / "published" / "tieout.duckdb"


def read(file: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_only_the_marts_are_published_views_as_tables(warehouse: Path, published: Path) -> None:
    assert publish(warehouse, published) == {"donors": 1, "gifts": 1}
    found = read(published, "SELECT schema_name, table_name FROM duckdb_tables() ORDER BY ALL")
    assert found == [("marts", "donors"), ("marts", "gifts")]
    assert read(published, "SELECT typeof(amount) FROM marts.gifts") == [("DECIMAL(18,2)",)]


def test_comments_travel_along(warehouse: Path, published: Path) -> None:
    publish(warehouse, published)
    assert read(published, "SELECT comment FROM duckdb_tables() WHERE table_name = 'gifts'") == [
        ("One row per gift; it's all",)
    ]
    assert read(published, "SELECT comment FROM duckdb_columns() WHERE column_name = 'amount'") == [("What was given",)]


def test_a_reader_keeps_the_file_that_it_opened(warehouse: Path, published: Path) -> None:
    publish(warehouse, published)
    with duckdb.connect(str(published), read_only=True) as reader:
        with duckdb.connect(str(warehouse)) as connection:
            connection.execute("INSERT INTO marts.gifts VALUES (2, 5)")
        publish(warehouse, published)
        assert reader.execute("SELECT count(*) FROM marts.gifts").fetchall() == [(1,)]
    assert read(published, "SELECT count(*) FROM marts.gifts") == [(2,)]


def test_a_publish_that_fails_leaves_the_last_good_file_alone(warehouse: Path, published: Path) -> None:
    publish(warehouse, published)
    before = published.read_bytes()
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("CREATE VIEW marts.broken AS SELECT * FROM raw_raise.donors")
        connection.execute("DROP TABLE raw_raise.donors CASCADE")
    with pytest.raises(duckdb.Error):
        publish(warehouse, published)
    assert published.read_bytes() == before
    assert list(published.parent.iterdir()) == [published]


def leftovers(published: Path) -> Iterator[Path]:
    yield published.with_name(f".{published.name}.draft")
    yield published.with_name(f".{published.name}.draft.wal")
    yield published.with_name(f"{published.name}.wal")


def test_what_a_killed_publish_or_a_writing_reader_left_is_removed(warehouse: Path, published: Path) -> None:
    published.parent.mkdir()
    for leftover in leftovers(published):
        leftover.write_bytes(b"half of something")
    publish(warehouse, published)
    assert list(published.parent.iterdir()) == [published]
    assert read(published, "SELECT count(*) FROM marts.gifts") == [(1,)]


@pytest.mark.parametrize("name", ["draft.duckdb", "warehouse.duckdb", "main.duckdb", "temp", 'a b\'s "c".ö.duckdb'])
def test_any_name_of_the_published_file_can_be_read(warehouse: Path, published: Path, name: str) -> None:
    published = published.with_name(name)
    for _ in range(2):
        publish(warehouse, published)
    assert read(published, "SELECT id FROM marts.gifts") == [(1,)]


def test_rights_group_and_attributes_of_the_old_file_stay(warehouse: Path, published: Path) -> None:
    publish(warehouse, published)
    # Root may give any group away, others one of their own.
    group = 12345 if os.geteuid() == 0 else max([os.getegid(), *os.getgroups()])
    os.chown(published, -1, group)
    published.chmod(0o2640)
    _set_attribute(published)
    publish(warehouse, published)
    found = published.stat()
    assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (group, 0o2640)
    assert _attribute(published) == b"kept"


def _set_attribute(file: Path) -> None:
    if sys.platform == "linux":
        os.setxattr(file, "user.tieout", b"kept")


def _attribute(file: Path) -> bytes:
    return os.getxattr(file, "user.tieout") if sys.platform == "linux" else b"kept"


def test_a_group_that_may_not_be_given_stops_the_publish(
    warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(warehouse, published)
    before = published.read_bytes()

    def refuse(*_: object) -> None:
        raise PermissionError

    had = published.stat()
    monkeypatch.setattr(os, "chown", refuse)
    publish(warehouse, published)
    assert published.stat().st_gid == had.st_gid
    monkeypatch.setattr(subject, "_given", lambda file: (0, 0) if file == published else (1, 1))
    with pytest.raises(subject.PublishedUnusable, match="group 0 is not one of this user's"):
        publish(warehouse, published)
    assert read(published, "SELECT id FROM marts.gifts") == [(1,)]
    assert len(before) == published.stat().st_size


def test_nobody_else_can_read_the_file_while_it_is_written(
    warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    original = subject._copy

    def copy(connection: duckdb.DuckDBPyConnection, table: str) -> int:
        (folder,) = published.parent.iterdir()
        seen.append(stat.S_IMODE(folder.stat().st_mode))
        return original(connection, table)

    monkeypatch.setattr(subject, "_copy", copy)
    publish(warehouse, published)
    assert seen == [0o700, 0o700]


def test_a_link_stays_and_its_target_is_replaced(warehouse: Path, published: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    published.parent.mkdir()
    published.symlink_to(disk / "t.duckdb")
    with pytest.raises(subject.PublishedUnusable, match="disk, where it points to, does not exist"):
        publish(warehouse, published)
    disk.mkdir()
    for _ in range(2):
        publish(warehouse, published)
        assert published.is_symlink()
        assert read(published, "SELECT id FROM marts.gifts") == [(1,)]
    assert [*disk.iterdir(), *published.parent.iterdir()] == [disk / "t.duckdb", published]


def _other_database(path: Path) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE notes (a INT)")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_other_database, "it holds main.notes"),
        (lambda path: path.write_text("what somebody keeps"), "it is no DuckDB file"),
        (Path.mkdir, "it is a folder"),
        (os.mkfifo, "it is no plain file"),
    ],
)
def test_what_nobody_published_is_not_replaced(
    warehouse: Path, published: Path, make: Callable[[Path], object], says: str
) -> None:
    published.parent.mkdir()
    make(published)
    before = published.read_bytes() if published.is_file() else None
    with pytest.raises(subject.PublishedUnusable, match=says):
        publish(warehouse, published)
    assert (published.read_bytes() if published.is_file() else None) == before


def test_another_warehouse_is_not_replaced(warehouse: Path, tmp_path: Path) -> None:
    other = shutil.copy(warehouse, tmp_path / "other.duckdb")
    with pytest.raises(subject.PublishedUnusable, match=r"raw_raise\.donors"):
        publish(warehouse, other)


def test_an_empty_file_may_bring_the_rights_and_a_damaged_one_is_replaced(warehouse: Path, published: Path) -> None:
    published.parent.mkdir()
    published.touch(mode=0o600)
    publish(warehouse, published)
    assert stat.S_IMODE(published.stat().st_mode) == 0o600
    published.write_bytes(published.read_bytes()[:20] + b"torn" * 100)
    publish(warehouse, published)
    assert read(published, "SELECT id FROM marts.gifts") == [(1,)]


def test_no_secret_is_published(warehouse: Path, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows from before they were masked, and files that people edit."""
    secret = "Marked+raise/token='0123"
    monkeypatch.setattr(masking, "_known", masking.Mask([secret, *(f"other-secret-{n}" for n in range(20))]))
    kept = "'plain' AS other, 5 AS number, ['a', NULL] AS labels"
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute(f"CREATE TABLE marts.clean AS SELECT {kept}")
        connection.execute(
            f"""
            CREATE TABLE marts.notes AS
            SELECT 'a ' || $1 || ' b' AS note, [{{'label': upper($1), 'n': 1}}] AS nested, to_json({{'k': $1}}) AS json,
                {kept}
            UNION ALL SELECT NULL, NULL, NULL, 'x', NULL, NULL
            """,
            [secret],
        )
    assert publish(warehouse, published)["notes"] == 2
    found = read(published, "SELECT * FROM marts.notes WHERE number = 5")
    assert found == [("a *** b", [{"label": "***", "n": 1}], '{"k":"***"}', "plain", 5, ["a", None])]
    types = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'notes' AND schema_name = 'marts'"
    assert read(published, types) == read(warehouse, types)
    assert read(published, "FROM marts.clean") == read(warehouse, "FROM marts.clean")
    assert secret.encode() not in published.read_bytes()
