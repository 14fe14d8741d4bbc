from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import duckdb
import pytest
from rich.console import Console

from ingestion.errors import SettingsError
from orchestration.cli.exceptions import show
from orchestration.register import FIELDS, RecordKind, State, entries, open_exceptions

MARTS = """
SET TimeZone = 'America/Chicago';
CREATE SCHEMA marts;
CREATE TABLE marts.load_audit AS SELECT unnest(['hill', 'river']) AS organization;
CREATE TABLE marts.recon_statuses AS SELECT * FROM (VALUES
    ('gift', 'missing', true), ('gift', 'late', true), ('gift', 'matched', false), ('donor', 'merged', true),
    ('recurring_gift', 'duplicate', true)
) AS t(entity, code, is_exception);
CREATE TABLE marts.recon_exceptions AS SELECT
    *,
    md5(concat_ws('|', #1, #4, #5, #6, #7)) AS exception_id,
    'Do "this", then that.' AS recommended_action,
    TIMESTAMPTZ '2026-03-01 06:00:00.5+00' AS first_seen_at,
    TIMESTAMPTZ '2026-03-02 06:00:00+00' AS last_seen_at,
    NULL::TIMESTAMPTZ AS resolved_at,
    0::BIGINT AS reopened_count,
    1::BIGINT AS age_days,
    '24–48 h' AS age_bucket,
    NULL::VARCHAR AS waived_reason,
    DATE '2026-04-01' AS waived_until
FROM (VALUES
    ('river', 'open', 'info', 'donor', 'merged', 1, 10, 5000.00, 'Merged.', 'https://crm.example/10'),
    ('river', 'open', 'error', 'gift', 'missing', 7, NULL, NULL, 'Unknown worth.', NULL),
    ('river', 'open', 'error', 'gift', 'missing', 8, NULL, 12.50, 'Because, they said.', NULL),
    ('hill', 'open', 'error', 'recurring_gift', 'duplicate', 123456789, 987654321, 1250000.00, 'Twice.', NULL),
    ('river', 'open', 'warn', 'gift', 'late', 9, NULL, 90.00, 'Late.', NULL),
    ('river', 'waived', 'error', 'gift', 'missing', 11, NULL, 70.00, 'Waived.', NULL),
    ('river', 'resolved', 'error', 'gift', 'missing', 12, NULL, 80.00, 'Resolved.', NULL)
) AS t(organization, state, severity, entity, code, raise_id, crm_id, amount_at_stake, cause, crm_url);
ALTER TABLE marts.recon_exceptions ALTER amount_at_stake TYPE DECIMAL(18, 2);
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(MARTS)
    return path


@pytest.fixture
def call(tieout: Callable[..., CompletedProcess[str]], published: Path) -> Callable[..., CompletedProcess[str]]:
    return partial(tieout, "exceptions", PUBLISHED_PATH=str(published))


def shown(published: Path, **asked: object) -> str:
    out = io.StringIO()
    show(entries(published, **asked), Console(file=out, width=80))
    return out.getvalue()


def test_the_worst_come_first_then_the_most_money(published: Path) -> None:
    assert [entry.raise_id for entry in entries(published)] == [123456789, 8, 7, 9, 1]


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ({"entity": RecordKind.DONOR}, [1]),
        ({"code": "missing"}, [8, 7]),
        ({"organization": "hill"}, [123456789]),
        ({"state": State.WAIVED}, [11]),
        ({"state": State.RESOLVED}, [12]),
        ({"state": State.ALL, "code": "missing"}, [12, 11, 8, 7]),
        ({"entity": RecordKind.DONOR, "code": "missing"}, []),
    ],
)
def test_only_what_was_asked_for(published: Path, asked: dict[str, object], keys: list[int]) -> None:
    assert [entry.raise_id for entry in entries(published, **asked)] == keys


@pytest.mark.parametrize("asked", [{"organization": "valley"}, {"code": "matched"}, {"code": "missing'"}])
def test_what_does_not_exist_is_wrong_usage(published: Path, asked: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="choose one of"):
        entries(published, **asked)


def test_waived_and_resolved_ones_do_not_count_as_open(published: Path) -> None:
    assert open_exceptions(published, ("error",), ("river", "hill")) == 3
    assert open_exceptions(published, ("error", "warn"), ("river", "hill")) == 4


def test_those_of_other_organizations_do_not_count(published: Path) -> None:
    """One that is no longer configured keeps its exceptions, and nobody can resolve them any more."""
    assert open_exceptions(published, ("error",), ("hill",)) == 1
    assert open_exceptions(published, ("error",), ("valley",)) == 0


def test_json(call) -> None:
    answer = call("--format", "json", "--organization", "river", "--code", "missing")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout, parse_float=Decimal)
    assert [list(entry) for entry in found] == [list(FIELDS)] * 2
    assert found[0]["amount_at_stake"] == "12.50"
    assert found[1]["amount_at_stake"] is None
    assert (found[0]["raise_id"], found[0]["crm_id"]) == (8, None)
    assert (found[0]["first_seen_at"], found[0]["last_seen_at"]) == (
        "2026-03-01T06:00:00.500000Z",
        "2026-03-02T06:00:00Z",
    )
    assert found[0]["waived_until"] == "2026-04-01"


def test_csv(call) -> None:
    answer = call("--format", "csv")
    assert answer.returncode == 0, answer.stderr
    header, *lines = csv.reader(io.StringIO(answer.stdout))
    assert header == list(FIELDS)
    assert len(lines) == 5
    second = dict(zip(header, lines[1], strict=True))
    assert second["cause"] == "Because, they said."
    assert second["recommended_action"] == 'Do "this", then that.'
    assert (second["amount_at_stake"], second["crm_id"], second["last_seen_at"]) == (
        "12.50",
        "",
        "2026-03-02T06:00:00Z",
    )


def test_the_table_fits_a_terminal_of_80_columns(published: Path) -> None:
    text = shown(published, state=State.ALL)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    assert all(word in text for word in ("987654321", "1,250,000.00", "error: 5", "info: 1"))
    assert "river" not in shown(published, organization="river")


def test_what_to_do_stands_under_the_table(published: Path) -> None:
    _, line = [line for line in shown(published, organization="river").splitlines() if line.startswith("gift late ")]
    assert 'Do "this", then that.' in line


def test_nothing_is_told_and_machines_get_it_empty(call) -> None:
    asked = ("--organization", "hill", "--state", "waived")
    assert call(*asked).stdout == "No exceptions.\n"
    assert call(*asked, "--format", "json").stdout == "[]\n"
    assert call(*asked, "--format", "csv").stdout == ",".join(FIELDS) + "\n"


def test_no_color_when_it_is_not_wanted(call) -> None:
    assert "\x1b[3" in call(FORCE_COLOR="1").stdout
    assert "\x1b[3" not in call(FORCE_COLOR="1", NO_COLOR="1").stdout


def test_a_reader_that_has_enough_is_no_error(published: Path, tmp_path: Path) -> None:
    code = "import sys; from orchestration.cli import main; main()"
    command = f"{sys.executable} -c '{code}' exceptions --format csv | true"
    answer = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env={**os.environ, "PUBLISHED_PATH": str(published)}, capture_output=True
    )
    assert answer.stderr == b""


def test_nothing_published_is_one_line(call, tmp_path: Path) -> None:
    answer = call(PUBLISHED_PATH=str(tmp_path / "absent.duckdb"))
    assert answer.returncode == 1
    assert len(answer.stderr.splitlines()) == 1
    assert "tieout run" in answer.stderr
