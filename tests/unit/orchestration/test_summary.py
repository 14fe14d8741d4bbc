from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from orchestration.cli.formats import Format
from orchestration.cli.summary import show, summary
from orchestration.home import DEMO_FILE
from orchestration.published import NothingPublished, Payloads
from orchestration.summary import summaries

MARTS = """
CREATE SCHEMA marts;
CREATE TABLE marts.recon_statuses AS SELECT * FROM (VALUES
    ('gift', 'missing', 'Expected and not in CRM+', 'error'),
    ('gift', 'late', 'Expected and late', 'warn')
) AS t(entity, code, title, severity);
CREATE TABLE marts.recon_summary AS SELECT * FROM (VALUES
    ('river', 'gift', 'matched', 'linked', 'Matched', NULL, 97, 0.97, 9700.00, TIMESTAMPTZ '2026-03-01 06:00:00+00'),
    ('river', 'gift', 'missing', 'wrong', 'Expected and not in CRM+', 'error', 1, 0.01, 250.00,
        TIMESTAMPTZ '2026-03-01 06:00:00+00'),
    ('river', 'gift', 'late', 'waiting', 'Expected and late', 'warn', 2, 0.02, 50.00,
        TIMESTAMPTZ '2026-03-01 06:00:00+00'),
    ('river', 'donor', 'not_assessable', 'not assessed', 'Not enough was read', NULL, 5, 1, 0, NULL)
) AS t(organization, entity, status, status_group, title, severity, records, share, amount, as_of);
ALTER TABLE marts.recon_summary ADD COLUMN note VARCHAR;
UPDATE marts.recon_summary SET note = 'Only 3 of 64 find theirs.' WHERE entity = 'gift';
ALTER TABLE marts.recon_summary ALTER share TYPE DECIMAL(18, 8);
ALTER TABLE marts.recon_summary ALTER amount TYPE DECIMAL(18, 2);
CREATE TABLE marts.recon_exceptions AS SELECT * FROM (VALUES
    ('river', 'gift', 'missing', 'error', 250.00, 'open', 'Look into the import tool.'),
    ('river', 'gift', 'missing', 'error', 900.00, 'waived', 'Look into the import tool.'),
    ('river', 'gift', 'late', 'warn', 30.00, 'open', 'Watch it.'),
    ('river', 'gift', 'late', 'warn', NULL, 'open', 'Watch it.'),
    ('river', 'gift', 'late', 'warn', 70.00, 'resolved', 'Watch it.'),
    ('hill', 'gift', 'missing', 'error', 70.00, 'open', 'Look into the import tool.')
) AS t(organization, entity, code, severity, amount_at_stake, state, recommended_action);
ALTER TABLE marts.recon_exceptions ALTER amount_at_stake TYPE DECIMAL(18, 2);
CREATE TABLE marts.recon_daily_totals AS SELECT * FROM (VALUES
    ('river', DATE '2026-02-27', 'One', 'USD', 0.00, true),
    ('river', DATE '2026-02-27', 'Two', 'USD', -1200.50, false),
    ('river', DATE '2026-02-28', 'One', 'USD', 250.00, false),
    ('river', DATE '2026-02-28', 'One', NULL, 3.00, false),
    ('river', DATE '2026-03-01', 'One', 'USD', 0.00, NULL),
    ('river', DATE '2026-02-26', 'One', 'USD', 0.00, true),
    ('brook', DATE '2026-02-26', 'One', 'USD', 9.00, false)
) AS t(organization, gift_date, campaign, currency, unexplained_amount, is_balanced);
ALTER TABLE marts.recon_daily_totals ALTER unexplained_amount TYPE DECIMAL(18, 2);
CREATE TABLE marts.backfill_candidates AS SELECT * FROM (VALUES
    ('river', 40.00, 'EUR'), ('river', 1000.00, 'USD'), ('river', 2.00, 'USD'), ('brook', 7.00, 'USD')
) AS t(organization, raise_amount, currency);
ALTER TABLE marts.backfill_candidates ALTER raise_amount TYPE DECIMAL(18, 2);
CREATE TABLE marts.link_key_discovery AS SELECT * FROM (VALUES
    ('river', true, 20, 'Look at "Stripe".'), ('river', false, 90, NULL), ('river', true, 19, 'Look at less.'),
    ('brook', true, 30, 'Look elsewhere.')
) AS t(organization, suggested, agreeing_records, suggestion);
CREATE TABLE marts.load_audit AS SELECT * FROM (VALUES
    ('river', 'raise', 'gifts', true, 100, 100, NULL, TIMESTAMPTZ '2026-02-01 06:00:00+00'),
    ('river', 'raise', 'gifts', true, 120, 120, NULL, TIMESTAMPTZ '2026-03-01 06:00:00+00'),
    ('river', 'crm_plus', 'contacts', false, 7, 9, 'CRM+ fails on contacts.', TIMESTAMPTZ '2026-03-01 06:00:00+00')
) AS t(organization, source, resource, is_complete, rows_read, api_total, error, finished_at);
ALTER TABLE marts.load_audit ADD COLUMN recorded_at TIMESTAMPTZ;
UPDATE marts.load_audit SET recorded_at = finished_at;
ALTER TABLE marts.load_audit ADD COLUMN run_number BIGINT;
CREATE TABLE marts.webhook_payload_states AS SELECT * FROM (VALUES
    ('river', false, 'readable', 900, TIMESTAMPTZ '2026-01-01 06:00:00+00'),
    ('river', false, 'unread', 1200, TIMESTAMPTZ '2026-02-03 06:00:00+00'),
    ('river', false, 'failed', 4, TIMESTAMPTZ '2026-02-02 06:00:00+00'),
    ('river', true, 'unread', 1, TIMESTAMPTZ '2026-02-04 06:00:00+00'),
    ('river', false, 'absent', 5, TIMESTAMPTZ '2026-01-01 06:00:00+00'),
    ('river', true, 'unreadable', 2, TIMESTAMPTZ '2026-01-01 06:00:00+00'),
    ('river', false, 'empty', 3, TIMESTAMPTZ '2026-01-01 06:00:00+00'),
    ('brook', true, 'unread', 7, TIMESTAMPTZ '2026-01-01 06:00:00+00')
) AS t(organization, is_about_campaign, payload_state, entries, oldest_at);
CREATE TABLE marts.event_type_labels AS SELECT * FROM (VALUES
    ('river', 10, 'Gift created', 'Gift Created', 'confirmed'),
    ('river', 11, 'Gift updated', 'Donor updated', 'contradicted'),
    ('river', 12, 'Gift deleted', NULL, 'unobserved'),
    ('river', 60, NULL, 'Form seen', 'undocumented')
) AS t(organization, event_type, hypothesis_label, observed_label, status);
CREATE TABLE marts.seed_problems AS SELECT * FROM (VALUES
    ('seeds/waivers.csv', 3, 'The reason is missing.')
) AS t(file, line, problem);
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(MARTS)
    return path


@pytest.fixture
def shown(published: Path) -> str:
    console = Console(file=io.StringIO(), width=160)
    show(published, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def line_with(text: str, *words: str) -> str:
    found = [line for line in text.splitlines() if all(word in line for word in words)]
    assert len(found) == 1, found
    return found[0]


def test_every_group_has_its_records_share_and_money(shown: str) -> None:
    assert line_with(shown, "linked").split() == ["linked", "97", "97.0%", "9,700.00"]
    assert line_with(shown, "wrong").split() == ["wrong", "1", "1.0%", "250.00"]
    assert "as of 2026-03-01 06:00 UTC" in line_with(shown, "Gifts,")


def test_what_was_never_read_is_said_to_be(shown: str) -> None:
    assert "not read completely yet" in line_with(shown, "Donors,")


def test_the_worst_open_cause_comes_first_with_what_to_do(published: Path) -> None:
    (summary,) = summaries(published)
    assert [(cause.title, cause.records, str(cause.amount)) for cause in summary.causes] == [
        ("Expected and not in CRM+", 1, "250.00"),
        ("Expected and late", 2, "30.00"),
    ]
    assert summary.causes[0].recommended_action == "Look into the import tool."


def test_days_out_of_balance_are_one_line(shown: str) -> None:
    assert line_with(shown, "Days:") == (
        "Days: 1 of 3 balance between Raise and CRM+; 2 do not, the latest 2026-02-28, by 1,450.50 USD, 3.00 in all"
    )


def test_gifts_without_a_date_are_a_day_too(published: Path) -> None:
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "UPDATE marts.recon_daily_totals SET is_balanced = true;"
            "INSERT INTO marts.recon_daily_totals VALUES ('river', NULL, 'One', 'USD', 5.00, false)"
        )
    console = Console(file=io.StringIO(), width=160)
    show(published, console)
    assert isinstance(console.file, io.StringIO)
    assert line_with(console.file.getvalue(), "Days:") == (
        "Days: 4 of 5 balance between Raise and CRM+; 1 do not, the latest without a date, by 5.00 USD in all"
    )


def test_what_can_be_backfilled_and_looked_at_is_told(shown: str) -> None:
    assert "Backfill: 3 gifts (1,002.00 USD, 40.00 EUR)" in " ".join(shown.split())
    assert line_with(shown, "Stripe") == 'Look at "Stripe".'
    assert line_with(shown, "Only 3") == "Only 3 of 64 find theirs."
    assert "Look at less." not in shown


def test_nothing_is_said_of_days_without_crm_plus(published: Path) -> None:
    with duckdb.connect(str(published)) as connection:
        connection.execute(
            "UPDATE marts.recon_daily_totals SET is_balanced = NULL; DELETE FROM marts.backfill_candidates"
        )
    console = Console(file=io.StringIO(), width=160)
    show(published, console)
    assert isinstance(console.file, io.StringIO)
    assert not {"Days:", "Backfill:"} & set(console.file.getvalue().split())


def test_only_the_latest_read_of_a_resource_counts(shown: str) -> None:
    assert "1 of 1 resources read completely, last 2026-03-01 06:00 UTC" in line_with(shown, "raise:")
    assert "7 of 9 rows: CRM+ fails on contacts." in line_with(shown, "contacts:")


def test_the_event_types_are_told_by_what_is_known(shown: str) -> None:
    assert "1 of 3 confirmed by the delivery log" in shown
    assert line_with(shown, "contradicted:") == "contradicted: 11 (“Donor updated”, expected Gift updated)"
    assert line_with(shown, "undocumented:") == "undocumented: 60 (“Form seen”)"
    assert line_with(shown, "unobserved:") == "unobserved: 12"


def test_what_is_open_waived_and_resolved_is_counted(shown: str) -> None:
    headings = ["errors", "warnings", "notes", "open", "in", "all", "at", "stake", "waived", "resolved"]
    assert line_with(shown, "open", "waived").split() == headings
    assert line_with(shown, "gifts", "280.00").split() == ["gifts", "1", "2", "0", "3", "280.00", "1", "1"]


def test_payloads_that_are_behind_or_not_understood_are_counted(shown: str) -> None:
    told = " ".join(shown.split())
    unassessed = "about campaigns: gifts that depend on them are not assessed"
    assert (
        f"1,205 payloads of webhook deliveries were not read yet, the oldest of 2026-02-02 (1 is {unassessed})" in told
    )
    assert "5 payloads of webhook deliveries cannot be had: Raise does not give or no longer retains them." in told
    assert f"5 payloads of webhook deliveries could not be understood (2 are {unassessed})" in told


def test_a_log_that_is_known_whole_is_not_mentioned() -> None:
    assert Payloads(0, 0, None, 0, 0, 0, 0).notes == []


def test_rows_of_edited_seeds_that_are_left_out_are_named(shown: str) -> None:
    assert line_with(shown, "seeds/") == "seeds/waivers.csv, line 3, is left out: The reason is missing."


def test_as_json_for_scripts(published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PUBLISHED_PATH", str(published))
    summary(Format.JSON)
    (found,) = json.loads(capsys.readouterr().out)
    assert list(found) == [
        "organization", "entities", "exceptions", "causes", "reads", "event_types", "days", "backfill", "suggestion",
        "link_key_note", "payloads",
    ]  # fmt: skip
    assert found["days"] == {
        "compared": 3,
        "unbalanced": 2,
        "latest_unbalanced": "2026-02-28",
        "unexplained": [{"amount": "1450.50", "currency": "USD"}, {"amount": "3.00", "currency": None}],
    }
    gifts = found["entities"][1]
    assert (gifts["name"], gifts["as_of"]) == ("gift", "2026-03-01T06:00:00Z")
    assert gifts["statuses"][0] == {
        "code": "matched",
        "group": "linked",
        "title": "Matched",
        "severity": None,
        "records": 97,
        "share": "0.97000000",
        "amount": "9700.00",
    }
    assert found["exceptions"] == [
        {
            "entity": "gift",
            "open": 3,
            "error": 1,
            "warn": 2,
            "info": 0,
            "waived": 1,
            "resolved": 1,
            "amount_at_stake": "280.00",
        }
    ]


def test_no_file_and_a_file_of_something_else_are_told(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="yet"):
        summaries(tmp_path / "absent.duckdb")
    (tmp_path / "broken.duckdb").write_text("not a database")
    with pytest.raises(NothingPublished, match="cannot be read"):
        summaries(tmp_path / "broken.duckdb")


def test_after_the_demo_alone_the_summary_is_that_of_the_demo(tieout: Any, tmp_path: Path, published: Path) -> None:
    demo = tmp_path / DEMO_FILE
    demo.parent.mkdir(parents=True)
    published.rename(demo)
    answer = tieout("summary")
    assert answer.returncode == 0
    assert "river" in answer.stdout
    assert answer.stderr.startswith("Note: nothing is set up yet: this is the simulated organization")
    # Who has set up something is never shown the simulated one.
    for settings in ({"RAISE_API_TOKEN": "marked-token"}, {"PUBLISHED_PATH": str(tmp_path / "mine.duckdb")}):
        answer = tieout("summary", **settings)
        assert (answer.returncode, answer.stdout) == (1, "")
        assert "There is no published file" in answer.stderr
