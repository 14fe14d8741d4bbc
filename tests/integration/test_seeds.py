"""Seeds as people leave them: the materialization, in a dbt project of its own."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.building import Miniature, query

_DECLARED = """
seeds:
  - name: notes
    columns: [{name: id}, {name: reason}, {name: line}, {name: line_text}, {name: line_problem}]
    config: {column_types: {id: bigint}}
  - name: fixed
    columns: [{name: id}, {name: reason}]
    config: {column_types: {id: bigint}}
"""


class Notes(Miniature):
    """A seed that people edit, `notes`, and one of the project's own, `fixed`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "seed", "text")
        self.write("seeds/seeds.yml", _DECLARED)
        self.write("seeds/fixed.csv", "id,reason\n1,a\n")

    def load(self, content: str | bytes) -> list[tuple[object, ...]]:
        """Lines, values, and whether they can be told apart."""
        self.write("seeds/notes.csv", content)
        assert self.build(), self.said
        return query(
            self.warehouse, "select line, id, reason, line_problem is null as is_usable from main.notes order by line"
        )


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Notes:
    return Notes(tmp_path_factory.mktemp("notes"))


_reason = st.text(st.sampled_from("a ,\"';é\t\n"), min_size=1, max_size=6).filter(lambda text: text.strip())


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    reasons=st.lists(_reason, max_size=4),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_a_writer_of_csv_wrote_is_read(notes: Notes, reasons: list[str], quoting: int, end: str) -> None:
    file = io.StringIO(newline="")
    # a writer of rows that end in CR leaves LF without quotation marks, where it may
    quoting = csv.QUOTE_ALL if any("\n" in reason for reason in reasons) else quoting
    writer = csv.writer(file, quoting=quoting, lineterminator=end)
    writer.writerow(["id", "reason"])
    writer.writerows(enumerate(reasons, start=1))
    lines = [2 + sum(1 + before.count("\n") for before in reasons[:index]) for index in range(len(reasons))]
    assert notes.load(file.getvalue()) == [
        (line, key, reason, True) for key, (line, reason) in enumerate(zip(lines, reasons, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("id,reason", []),
        ("\ufeffid,reason\n1,a\n", [(2, 1, "a", True)]),
        ("id,reason\n\n1,a\r\n,\n2\r3,c", [(3, 1, "a", True), (5, 2, None, True), (6, 3, "c", True)]),
        (" Reason ,,note,ID,,\na,,b,1,,\n", [(2, 1, "a", True)]),
        ("id,reason\n1,known, see there\n2,b,\n3,c", [(2, 1, "known", False), (3, 2, "b", False), (4, 3, "c", True)]),
        ('id,reason\n1,"open\n2,b\n3,"c"d\n', [(2, 1, '"open', False), (3, 2, "b", True), (4, 3, '"c"d', False)]),
        ('id,reason\n1, "a, b"\t\n2,b "c" d\n', [(2, 1, "a, b", True), (3, 2, 'b "c" d', True)]),
        ('id,reason\r\n1,"a\r\nb"\r\n\r\n2,c', [(2, 1, "a\r\nb", True), (5, 2, "c", True)]),
        ("id,line,reason,line_problem\n1,7,a,solved?\n", [(2, 1, "a", True)]),
    ],
    ids=[
        "heading alone",
        "byte order mark",
        "blank lines and mixed ends",
        "another order",
        "comma",
        "open quote",
        "spaces",
        "several lines",
        "columns of the same names",
    ],
)
def test_rows_are_told_by_their_lines_and_odd_ones_marked(
    notes: Notes, content: str, rows: list[tuple[object, ...]]
) -> None:
    assert notes.load(content) == rows


@pytest.mark.parametrize(
    ("content", "missing"),
    [("", "id, reason"), ("\n\n", "id, reason"), ("id;reason\n", "id, reason"), ("id\n1\n", "reason")],
)
def test_a_heading_that_lacks_columns_stops_and_changes_nothing(notes: Notes, content: str, missing: str) -> None:
    before = notes.load("id,reason\n1,a\n")
    notes.write("seeds/notes.csv", content)
    assert not notes.build()
    assert f"seeds/notes.csv, line 1: the heading lacks {missing}; it is id,reason, with commas." in notes.said
    assert query(notes.warehouse, "select line, id, reason, true from main.notes") == before


def test_a_heading_that_names_a_column_twice_stops(notes: Notes) -> None:
    notes.write("seeds/notes.csv", "id,reason,Reason\n1,a,b\n")
    assert not notes.build()
    assert "seeds/notes.csv, line 1: two columns are named reason." in notes.said


def test_an_odd_row_of_the_projects_own_seed_stops_and_is_named(notes: Notes) -> None:
    notes.load("id,reason\n1,a\n")
    notes.write("seeds/fixed.csv", "id,reason\n1,a\n2,b, c\n")
    assert not notes.build()
    assert "seeds/fixed.csv, line 3: The row has more values than the heading" in notes.said
    notes.write("seeds/fixed.csv", "id,reason\n1,a\n")
