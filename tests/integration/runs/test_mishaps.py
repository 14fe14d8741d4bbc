"""What goes wrong is told in one line that says what to do, and loses nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from subprocess import PIPE, CompletedProcess, Popen

import duckdb
import pytest

from ingestion.sandbox import Handle
from ingestion.settings import Settings
from ingestion.sources import pipeline_for
from tests.integration.conftest import Workplace


def told(done: CompletedProcess[str], code: int) -> str:
    """The one line on standard error."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_wrong_token_and_a_host_that_is_not_there(place: Workplace, unused_tcp_port: int) -> None:
    before = place.raw()
    nobody = f"http://127.0.0.1:{unused_tcp_port}"
    done = place.tieout("run", "--only", "ingest", RAISE_API_TOKEN="wrong-token-marked", CRM_PLUS_BASE_URL=nobody)
    line = told(done, 1)
    assert "Raise refused the credential (401): check RAISE_API_TOKEN" in line
    assert "cannot be reached" in line
    assert "marked" not in line + "".join(place.log)
    assert place.raw() == before


def test_a_wrong_crm_plus_key_lets_raise_be_read(place: Workplace, sandbox: Handle) -> None:
    before = place.raw()
    asked = sandbox.requests()["raise"]["total"]
    line = told(place.tieout("run", CRM_PLUS_API_KEY="wrong"), 1)
    assert "CRM+ refused the credential (401): check CRM_PLUS_API_KEY" in line
    assert sandbox.requests()["raise"]["total"] > asked
    assert place.raw() == before


def test_a_resource_that_may_not_be_read_is_a_note(place: Workplace, sandbox: Handle) -> None:
    sandbox.set_faults(raise_403_segments=1, crm_plus_403_recurring_gifts=1)
    done = place.tieout("run")
    sandbox.set_faults()
    assert done.returncode == 0, done.stderr
    of_crm_plus, of_raise = sorted(done.stderr.strip().splitlines())
    assert of_crm_plus.startswith("Note: CRM+ does not let CRM_PLUS_API_KEY read /api/RecurringGift/")
    assert of_raise.startswith("Note: Raise does not let RAISE_API_TOKEN read /api/Segment/list (403)")
    told = place.query(
        "select resource, is_complete, error like '%(403)%' from marts.load_audit where error is not null order by all",
        published=True,
    )
    assert told == [("recurring_gifts", False, True), ("segments", False, True)]


def test_models_are_not_built_on_half_a_load(place: Workplace) -> None:
    """The account of a load that was killed may stand in the warehouse before its rows do."""
    left = pipeline_for("raise", "default", Settings(warehouse_path=place.warehouse, _env_file=None))  # type: ignore[call-arg]
    left.extract([{"id": 7}], table_name="left_over")
    left.normalize()
    done = place.tieout("run", "--only", "transform")
    assert done.returncode == 0, done.stderr
    assert place.query("select id from raw_raise.left_over") == [(7,)]
    assert not left.has_pending_data


def test_a_warehouse_that_lost_rows_is_not_published(place: Workplace) -> None:
    published = place.published.read_bytes()
    with duckdb.connect(str(place.warehouse)) as connection:
        connection.execute("delete from raw_raise.recurring_gifts where id % 2 = 0")
    line = told(place.tieout("run", "--only", "transform"), 1)
    assert "Nothing was published, readers keep the last good file: marts.recurring_gifts rows_are_kept (" in line
    assert "rows instead of" in line
    assert place.published.read_bytes() == published


def test_a_missing_setting(place: Workplace) -> None:
    assert "RAISE_API_TOKEN is not set" in told(place.tieout("run", RAISE_API_TOKEN=""), 2)


def test_plain_http_beyond_this_machine(place: Workplace) -> None:
    assert "RAISE_BASE_URL must start with https://" in told(
        place.tieout("run", RAISE_BASE_URL="http://example.org"), 2
    )


@pytest.fixture
def holder(place: Workplace) -> Iterator[Popen[str]]:
    """Another process that has the warehouse open for writing."""
    program = f"import duckdb; c = duckdb.connect({str(place.warehouse)!r}); print('open', flush=True); input()"
    with Popen([sys.executable, "-c", program], stdin=PIPE, stdout=PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
        process.communicate("\n")


def test_a_locked_warehouse(place: Workplace, holder: Popen[str], sandbox: Handle) -> None:
    asked = sandbox.requests()["raise"]["total"]
    line = told(place.tieout("run"), 1)
    assert f"{place.warehouse} is in use by" in line
    assert str(holder.pid) in line
    assert sandbox.requests()["raise"]["total"] == asked


def test_a_file_that_is_no_warehouse(place: Workplace) -> None:
    wrong = place.folder / "notes.duckdb"
    wrong.write_text("not a database, but something that somebody keeps\n" * 1000)
    assert "notes.duckdb cannot be opened" in told(place.tieout("run", WAREHOUSE_PATH=str(wrong)), 1)
    assert wrong.read_text().startswith("not a database")


def test_nothing_published_yet(place: Workplace) -> None:
    place.published.unlink()
    assert "tieout run" in told(place.tieout("summary"), 1)


def test_an_unknown_command(place: Workplace) -> None:
    done = place.tieout("reconcile-everything")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
