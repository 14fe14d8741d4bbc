"""What goes wrong is told in one line that says what to do, and loses nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen

import duckdb
import pytest

from ingestion.sandbox import Handle
from tests.integration.conftest import Workplace


@pytest.fixture(scope="module")
def place(workplaces: Callable[[Handle], Workplace], sandbox: Handle) -> Workplace:
    """A workplace with one good run behind it."""
    made = workplaces(sandbox)
    done = made.tieout("run")
    assert done.returncode == 0, done.stderr
    return made


def told(done: CompletedProcess[str], code: int) -> str:
    """The one line on standard error."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    (line,) = done.stderr.strip().splitlines()
    return line


def test_a_wrong_raise_token(place: Workplace) -> None:
    before = place.raw()
    line = told(place.tieout("run", RAISE_API_TOKEN="wrong-token-marked"), 1)
    assert "Raise refused the credential (401): check RAISE_API_TOKEN" in line
    assert "marked" not in line + "".join(place.log)
    assert place.raw() == before


def test_a_wrong_crm_plus_key_lets_raise_be_read(place: Workplace, sandbox: Handle) -> None:
    before = place.raw()
    asked = sandbox.requests()["raise"]["total"]
    line = told(place.tieout("run", CRM_PLUS_API_KEY="wrong"), 1)
    assert "CRM+ refused the credential (401): check CRM_PLUS_API_KEY" in line
    assert sandbox.requests()["raise"]["total"] > asked
    assert place.raw() == before


def test_a_host_that_is_not_there(place: Workplace, unused_tcp_port: int) -> None:
    before = place.raw()
    line = told(place.tieout("run", CRM_PLUS_BASE_URL=f"http://127.0.0.1:{unused_tcp_port}"), 1)
    assert "cannot be reached" in line
    assert place.raw() == before


def test_a_warehouse_that_lost_rows_is_not_published(place: Workplace) -> None:
    warehouse, published = place.warehouse.read_bytes(), place.published.read_bytes()
    with duckdb.connect(str(place.warehouse)) as connection:
        connection.execute("delete from raw_raise.recurring_gifts where id % 2 = 0")
    line = told(place.tieout("run", "--only", "transform"), 1)
    assert "Nothing was published, readers keep the last good file: marts.recurring_gifts rows_are_kept (" in line
    assert "rows instead of" in line
    assert place.published.read_bytes() == published
    place.warehouse.write_bytes(warehouse)


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


def test_nothing_published_yet(workplaces: Callable[[Handle], Workplace], sandbox: Handle) -> None:
    assert "tieout run" in told(workplaces(sandbox).tieout("summary"), 1)


def test_an_unknown_command(place: Workplace) -> None:
    done = place.tieout("reconcile-everything")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_readers_are_never_blocked(place: Workplace) -> None:
    """With nothing but the duckdb package, from another process, before, while and after a run goes through."""
    program = (
        "import duckdb, sys\n"
        "with duckdb.connect(sys.argv[1], read_only=True) as c:\n"
        "    print(c.execute('select count(*) from marts.recon_donors').fetchone()[0])\n"
    )
    run = place.start("run")
    counts = []
    while run.poll() is None:
        with Popen([sys.executable, "-c", program, place.published], stdout=PIPE, stderr=PIPE, text=True) as reader:
            out, err = reader.communicate(timeout=60)
        assert reader.returncode == 0, err
        counts.append(int(out))
    run.communicate()
    assert run.returncode == 0
    assert len(counts) >= 3
    assert set(counts) == {counts[0]}
    assert counts[0] > 300
    assert {
        schema for (schema,) in place.query("select distinct schema_name from duckdb_tables()", published=True)
    } == {"marts"}
    assert not list(Path(place.published.parent).glob("*.tmp"))


def test_one_organizations_broken_token_does_not_keep_the_other_from_being_read(
    workplaces: Callable[[Handle], Workplace], sandbox: Handle
) -> None:
    place = workplaces(sandbox)
    organizations = place.folder / "organizations.toml"
    urls = f'raise_base_url = "{sandbox.raise_base_url}"\ncrm_plus_base_url = "{sandbox.crm_plus_base_url}"\n'
    organizations.write_text(
        f'[broken]\n{urls}raise_token_name = "BROKEN_TOKEN"\n'
        f'[sound]\n{urls}raise_token_name = "SOUND_TOKEN"\ncrm_plus_key_name = "SOUND_KEY"\n'
    )
    secrets = {"BROKEN_TOKEN": "wrong", "SOUND_TOKEN": sandbox.raise_token, "SOUND_KEY": sandbox.crm_plus_key}
    line = told(place.tieout("run", ORGANIZATIONS_FILE=str(organizations), **secrets), 1)
    assert "[broken] Raise refused the credential (401): check BROKEN_TOKEN" in line
    assert line.count("refused") == 1
    held = dict(place.query("select organization, count(*) from raw_raise.gifts group by all"))
    assert held == {"sound": sandbox.counts()["raise"]["gifts"]}
    read = place.query("select organization, bool_and(is_complete) from raw_raise.load_audit group by all order by all")
    assert read == [("broken", False), ("sound", True)]
    judged = place.query("select organization, status from marts.recon_donors group by all", published=True)
    assert ("sound", "linked") in judged
    assert not [status for organization, status in judged if organization == "broken"]
    unnamed = place.tieout("run", ORGANIZATIONS_FILE=str(organizations), **(secrets | {"SOUND_TOKEN": ""}))
    line = told(unnamed, 1)
    assert "SOUND_TOKEN is not set: [sound]" in line
    assert "[broken] Raise refused the credential (401)" in line
    assert dict(place.query("select organization, count(*) from raw_raise.gifts group by all")) == held
