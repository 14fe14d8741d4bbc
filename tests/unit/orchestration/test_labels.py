"""`tieout labels` over a published file: what is known of each event type, and what to do next."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest
from rich.console import Console

from orchestration.cli import labels as command
from orchestration.labels import event_type_labels
from orchestration.published import NothingPublished

MARTS = """
CREATE SCHEMA marts;
CREATE TABLE marts.event_type_labels AS SELECT *, TIMESTAMPTZ '2026-01-01 00:00:00+00' AS first_observed_at,
    TIMESTAMPTZ '2026-02-01 00:00:00+00' AS last_observed_at FROM (VALUES
    ('river', 10, 'Gift created', 'Gift Created', 'confirmed', 5, 'Take a donation', ['Gift Created']),
    ('river', 11, 'Gift updated', 'Donor updated', 'contradicted', 5, 'Edit a gift', ['Donor updated']),
    ('river', 12, 'Gift deleted', NULL, 'unobserved', 0, 'Delete a test gift in Raise', NULL),
    ('river', 31, 'Donor updated', '=Donor [red]Merged', 'ambiguous', 7, 'Edit',
        ['=Donor [red]Merged', 'Donor Edited']),
    ('river', 60, NULL, 'Form seen', 'undocumented', 1, NULL, ['Form seen'])
) AS t(organization, event_type, hypothesis_label, observed_label, status, observations, produced_by, names);
ALTER TABLE marts.event_type_labels ADD COLUMN labels
    STRUCT(label VARCHAR, observations BIGINT, first_observed_at TIMESTAMPTZ, last_observed_at TIMESTAMPTZ)[];
UPDATE marts.event_type_labels SET labels = list_transform(names, lambda x: {
    'label': x, 'observations': 1, 'first_observed_at': first_observed_at, 'last_observed_at': last_observed_at});
CREATE TABLE marts.webhook_subscription_coverage AS SELECT * FROM (VALUES
    ('river', 10, 1, false, 'Carried.'),
    ('river', 11, 0, true, 'No active webhook carries 11: subscribe to it in Raise.'),
    ('river', 12, 0, false, 'Not carried.'),
    ('river', 31, 1, NULL, 'Not known.')
) AS t(organization, event_type, active_webhooks, is_gap, cause);
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "tieout.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(MARTS)
    return path


def test_each_status_has_its_next_step(published: Path) -> None:
    steps = {each.event_type: each.next_step for each in event_type_labels(published)}
    assert steps == {
        10: "None.",
        11: "No active webhook carries 11: subscribe to it in Raise."
        " Trust the log: handle 11 as “Donor updated”, not as “Gift updated”.",
        12: "Delete a test gift in Raise, while a webhook carries 12; then run again.",
        31: "Look at its events in marts.webhook_events before you rely on it: it has 2 labels.",
        60: "Tolerate it: nothing documents it.",
    }


def test_the_table_shows_an_observation_only_where_there_is_one(published: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    command.show(event_type_labels(published), console)
    assert isinstance(console.file, io.StringIO)
    lines = {line.split()[0]: line for line in console.file.getvalue().splitlines() if line.split()}
    assert lines["12"].split()[:3] == ["12", "unobserved", "–"]
    assert "=Donor [red]Merged (2026-01-01 to 2026-02-01); Donor Edited" in lines["31"]


@pytest.mark.parametrize("format_", list(command.TabularFormat))
def test_every_format_tells_the_same(
    published: Path,
    format_: command.TabularFormat,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PUBLISHED_PATH", str(published))
    monkeypatch.setenv("NO_COLOR", "1")
    command.labels(format_)
    told = capsys.readouterr().out
    if format_ is command.TabularFormat.JSON:
        found = {each["event_type"]: each for each in json.loads(told)}
        assert found[12]["observed_label"] is None
        assert [label["label"] for label in found[31]["labels"]] == ["=Donor [red]Merged", "Donor Edited"]
    elif format_ is command.TabularFormat.CSV:
        found = {int(each["event_type"]): each for each in csv.DictReader(io.StringIO(told))}
        assert found[12]["observed_label"] == ""
        assert found[10]["first_observed_at"] == "2026-01-01T00:00:00Z"
    else:
        assert "\x1b" not in told
        assert "contradicted" in told


def test_without_a_file_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingPublished, match="tieout run"):
        event_type_labels(tmp_path / "nothing.duckdb")
