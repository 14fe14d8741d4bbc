from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

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
