"""Tables whose rows are left alone as long as they stay the same: the materialization, in a dbt project of its own."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.building import Miniature, query

Rows = list[tuple[Any, ...]]

_MODEL = "{{ config(materialized='maintained_table') }}\nselect * from main.told -- ends in a comment"
_RESTATING = """
{{ config(
    materialized='maintained_table',
    meta={'restated': ['amount']},
    post_hook='update {{ this }} set amount = told.amount from main.told where told.said = kept.said'
) }}
select * from main.told
"""
_CONTRACT = """
models:
  - name: kept
    config: {contract: {enforced: true}}
    constraints: [{type: check, expression: "said != 'z'", warn_unsupported: false}]
    columns:
      - {name: id, data_type: bigint, constraints: [{type: not_null, warn_unsupported: false}]}
      - {name: said, data_type: varchar}
      - {name: amount, data_type: "decimal(18, 2)"}
"""


class Kept(Miniature):
    """One maintained table, `kept`, of what the table `told` says."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "maintained_table")
        self.write("models/kept.sql", _MODEL)

    def tell(self, rows: Rows, columns: str = "id bigint, said varchar, amount decimal(18, 2)") -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            connection.execute(f"create or replace table main.told ({columns})")
            if rows:
                connection.executemany(f"insert into main.told values ({', '.join('?' * len(rows[0]))})", rows)

    def rows(self, what: str = "*") -> Rows:
        return query(self.warehouse, f"select {what} from main.kept order by all")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


_said = st.sampled_from([None, "", "a", "b", "ab"])
_amount = st.sampled_from([None, Decimal("0.00"), Decimal("1.00"), Decimal("-1.00"), Decimal("10.00")])
_tables = st.dictionaries(st.integers(1, 6), st.tuples(_said, _amount), max_size=6).map(
    lambda table: [(key, said, amount) for key, (said, amount) in table.items()]
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(_tables, min_size=2, max_size=3))
def test_it_always_holds_what_a_table_made_anew_would(kept: Kept, days: list[Rows]) -> None:
    for rows in days:
        kept.tell(rows)
        assert kept.build()
        assert kept.rows() == sorted(rows)


def test_only_what_differs_is_written(kept: Kept) -> None:
    kept.tell([(1, "a", 1), (2, "b", 2), (3, "c", 3), (4, None, None)])
    assert kept.build("--full-refresh")
    kept.tell([(4, None, None), (3, "c", 4), (1, "a", 1), (5, "d", 5)])
    assert kept.build()
    assert kept.rows() == [(1, "a", 1), (3, "c", 4), (4, None, None), (5, "d", 5)]
    # what stays the same keeps its place, before what was written; made anew, it would stand as it was told
    assert [key for _, key in kept.rows("rowid, id")][:2] == [1, 4]


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        ("id bigint, said varchar, amount decimal(18, 2), added boolean", (1, "a", 1, True)),
        ("id bigint, said varchar", (1, "a")),
        ("id bigint, said varchar, amount varchar", (1, "a", "1.00")),
        ("id bigint, told varchar, amount decimal(18, 2)", (1, "a", 1)),
        ("said varchar, id bigint, amount decimal(18, 2)", ("a", 1, 1)),
    ],
)
def test_other_columns_make_it_anew(kept: Kept, columns: str, row: tuple[Any, ...]) -> None:
    kept.tell([(1, "a", 1), (2, "b", 2)])
    assert kept.build("--full-refresh")
    kept.tell([row], columns)
    assert kept.build()
    assert kept.rows() == [row]


def test_no_list_is_no_empty_list(kept: Kept) -> None:
    kept.tell([(1, []), (2, None)], "id bigint, said varchar[]")
    assert kept.build("--full-refresh")
    kept.tell([(1, None), (2, [])], "id bigint, said varchar[]")
    assert kept.build()
    assert kept.rows() == [(1, None), (2, [])]


def test_another_constraint_makes_it_anew(kept: Kept) -> None:
    kept.tell([(None, "a", 1)])
    assert kept.build("--full-refresh")
    contract = kept.write("models/kept.yml", _CONTRACT)
    assert not kept.build()
    kept.tell([(1, "a", 1)])
    assert kept.build()
    for odd in (None, "b", 2), (2, "z", 2):
        kept.tell([(1, "a", 1), odd])
        assert not kept.build()
        assert kept.rows() == [(1, "a", 1)]
    # the same columns, and another check
    contract.write_text(_CONTRACT.replace("'z'", "'a'"))
    kept.tell([(1, "a", 1)])
    assert not kept.build()
    kept.tell([(1, "z", 1)])
    assert kept.build()
    contract.unlink()
    kept.tell([(1, "a", 1), (None, "b", 2)])
    assert kept.build()
    assert kept.rows() == [(1, "a", 1), (None, "b", 2)]


def test_a_restated_column_is_left_to_the_hook(kept: Kept) -> None:
    kept.write("models/kept.sql", _RESTATING)
    kept.tell([(3, "c", 3), (1, "a", 1), (2, "b", 2)])
    assert kept.build("--full-refresh")
    kept.tell([(1, "a", 10), (4, "b", 20), (3, "c", 30)])
    assert kept.build()
    assert kept.rows() == [(1, "a", 10), (3, "c", 30), (4, "b", 20)]
    # rows that differ in nothing else keep their place, before what was written
    assert [key for _, key in kept.rows("rowid, id")] == [3, 1, 4]
    kept.write("models/kept.sql", _MODEL)


def test_a_build_that_fails_leaves_it_as_it_was(kept: Kept) -> None:
    kept.tell([(1, "a", 1)])
    assert kept.build("--full-refresh")
    with duckdb.connect(str(kept.warehouse)) as connection:
        connection.execute("drop table main.told")
        connection.execute(
            "create view main.told as select i as id, 'a' as said, cast(if(i > 1, error('odd'), '2') as decimal(18, 2))"
            " as amount from range(1, 3) as numbers (i)"
        )
    assert not kept.build()
    assert kept.rows() == [(1, "a", 1)]
    with duckdb.connect(str(kept.warehouse)) as connection:
        connection.execute("drop view main.told")
