"""What is seen in a real Dagster instance and a readers' file, and that no donor is in it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from ingestion.settings import Settings
from orchestration import sensors
from orchestration.alerts import observing as subject
from orchestration.alerts.attempts import note_attempt
from orchestration.alerts.changes import BAD, UNKNOWN, WELL, Seen, Topic, due
from orchestration.assets.ingest import READ_COMPLETELY
from orchestration.instance import open_instance
from tests.unit.orchestration.test_instance import EXECUTES, started_run
from tests.unit.orchestration.test_labels import MARTS as LABELS

MARTS = """
CREATE TABLE marts.load_audit AS SELECT * FROM (VALUES
    ('river', 'raise', 'gifts', true, TIMESTAMPTZ '2026-03-01 06:00:00+00'),
    ('river', 'raise', 'gifts', false, TIMESTAMPTZ '2026-03-04 06:00:00+00'),
    ('river', 'raise', 'gifts', true, TIMESTAMPTZ '2026-04-03 06:00:00+00'),
    ('river', 'raise', 'donors', true, TIMESTAMPTZ '2026-03-04 06:00:00+00'),
    ('river', 'raise', 'webhooks', false, TIMESTAMPTZ '2026-02-01 06:00:00+00'),
    ('river', 'raise', 'webhook_log_payloads', true, TIMESTAMPTZ '2026-02-01 06:00:00+00'),
    ('river', 'crm_plus', 'gifts', true, TIMESTAMPTZ '2026-03-04 06:00:00+00'),
    ('gone', 'raise', 'gifts', true, TIMESTAMPTZ '2026-02-01 06:00:00+00')
) AS t(organization, source, resource, is_complete, finished_at);
CREATE TABLE marts.recon_statuses AS SELECT * FROM (VALUES
    ('gift', 'missing', 'Expected and not in CRM+'), ('donor', 'dangling', 'Key names no contact')
) AS t(entity, code, title);
CREATE TABLE marts.recon_exceptions AS SELECT * FROM (VALUES
    ('a', 0, 'river', 'gift', 'missing', 4711, NULL::BIGINT, 10.50::DECIMAL(18, 2), 'open', 'error'),
    ('b', 0, 'river', 'gift', 'missing', NULL, 4712, 5.00, 'open', 'error'),
    ('c', 2, 'river', 'donor', 'dangling', 4713, NULL, 7.00, 'open', 'error'),
    ('d', 0, 'river', 'gift', 'missing', 4714, NULL, 10.50, 'waived', 'error'),
    ('e', 0, 'river', 'gift', 'late', 4715, NULL, 10.50, 'open', 'warn')
) AS t(
    exception_id, reopened_count, organization, entity, code, raise_id, crm_id, amount_at_stake, state, severity
);
CREATE TABLE marts.recon_gifts AS SELECT * FROM (VALUES
    ('river', 4711, NULL::BIGINT, NULL::VARCHAR, 'USD', NULL), ('river', NULL, 4712, NULL, NULL, 'EUR')
) AS t(organization, raise_id, crm_id, compared_currency, raise_currency, crm_currency);
CREATE TABLE marts.recurring_gifts AS SELECT 'river' AS organization, 1::BIGINT AS recurring_gift_id, 'USD' AS currency;
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    for name, value in {
        "ORGANIZATION": "river",
        "RAISE_API_TOKEN": "token",
        "CRM_PLUS_API_KEY": "key",
        "RAISE_BASE_URL": "http://127.0.0.1:1/raise",
        "CRM_PLUS_BASE_URL": "http://127.0.0.1:1/crm",
        "WAREHOUSE_PATH": str(tmp_path / "w.duckdb"),
        "PUBLISHED_PATH": str(tmp_path / "p.duckdb"),
        "TIEOUT_NOW": "2026-03-04T07:00:00Z",
    }.items():
        monkeypatch.setenv(name, value)
    return Settings(_env_file=None)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance() as opened:
        yield opened


@pytest.fixture
def published(settings: Settings) -> Path:
    with duckdb.connect(str(settings.published_path)) as connection:
        connection.execute(LABELS)
        connection.execute(MARTS)
    return settings.published_path


def look(settings: Settings, instance: dg.DagsterInstance, *checks: dg.AssetCheckKey) -> dict[Topic, dict[str, Seen]]:
    return {topic: dict(seen) for topic, seen in subject.observe(settings, instance, checks).items()}


def run(instance: dg.DagsterInstance, fate: str = "well", check: str = "counts", **check_says: object) -> str:
    """One run of an asset with a check, and of the published file behind it."""

    @dg.asset(check_specs=[dg.AssetCheckSpec(check, asset="gifts")])
    def gifts():
        if fate == "failure":
            raise dg.Failure("Raise refused the credential (401).", allow_retries=False)
        if fate == "bug":
            raise ValueError("somebody@example.org is no number")
        yield dg.MaterializeResult(
            check_results=[dg.AssetCheckResult(check_name=check, **{"passed": True, **check_says})]
        )

    @dg.asset(deps=[gifts])
    def published() -> None: ...

    return dg.materialize([gifts, published], instance=instance, raise_on_error=False).run_id


CHECK = dg.AssetCheckKey(dg.AssetKey("gifts"), "counts")


def test_a_run_that_fails_blocks_publishing_until_one_goes_well(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    assert not look(settings, instance)[Topic.RUN]
    run(instance, "failure")
    seen = look(settings, instance)
    assert seen[Topic.RUN] == {"all organizations": Seen(BAD, "all organizations: Raise refused the credential (401).")}
    assert seen[Topic.PUBLISHING] == {"published": Seen(BAD, "There is no readers' file.")}
    run(instance)
    seen = look(settings, instance)
    assert seen[Topic.RUN]["all organizations"].mark is WELL
    assert seen[Topic.PUBLISHING]["published"].mark is WELL


def test_an_error_that_is_none_of_ours_is_told_by_its_kind(settings: Settings, instance: dg.DagsterInstance) -> None:
    run(instance, "bug")
    (seen,) = look(settings, instance)[Topic.RUN].values()
    assert seen == Seen(BAD, "all organizations: gifts: ValueError")


def test_a_side_that_could_not_be_read_fails_the_run_and_is_not_told_twice(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    told = "CRM+ refused it (401)."
    says = {"passed": False, "severity": dg.AssetCheckSeverity.ERROR, "metadata": {"errors": {"river": told}}}
    run(instance, check=READ_COMPLETELY, **says)
    seen = look(settings, instance, dg.AssetCheckKey(dg.AssetKey("gifts"), READ_COMPLETELY))
    assert seen[Topic.RUN]["all organizations"].text == "all organizations: CRM+ refused it (401)."
    assert [check.mark for check in seen[Topic.CHECK].values()] == [UNKNOWN]
    assert seen[Topic.PUBLISHING]["published"].mark is WELL


def test_a_check_that_fails_and_passes(settings: Settings, instance: dg.DagsterInstance) -> None:
    run(instance, passed=False, severity=dg.AssetCheckSeverity.WARN, description="2 of 3.")
    assert look(settings, instance, CHECK)[Topic.CHECK] == {
        "gifts: counts": Seen(BAD, "gifts: counts (warning): 2 of 3.")
    }
    run(instance, "failure")
    assert look(settings, instance, CHECK)[Topic.CHECK]["gifts: counts"].mark == UNKNOWN, "it was not evaluated"
    run(instance)
    assert look(settings, instance, CHECK)[Topic.CHECK]["gifts: counts"].mark is WELL


@pytest.mark.parametrize("name", ["read_lately", "event_labels_stay"])
def test_a_check_of_what_is_told_as_something_else_is_not_told(
    settings: Settings, instance: dg.DagsterInstance, name: str
) -> None:
    run(instance, check=name, passed=False, severity=dg.AssetCheckSeverity.WARN)
    assert look(settings, instance, dg.AssetCheckKey(dg.AssetKey("gifts"), name))[Topic.CHECK] == {}


def test_a_run_of_one_organization_does_not_judge_what_all_were_read(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    def read(passed: bool, **tags: str) -> None:
        @dg.asset(key=["raw_raise", "gifts"], check_specs=[dg.AssetCheckSpec("counts", asset=["raw_raise", "gifts"])])
        def gifts():
            yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="counts", passed=passed)])

        dg.materialize([gifts], instance=instance, tags=tags)

    def mark() -> str | None:
        key = dg.AssetCheckKey(dg.AssetKey(["raw_raise", "gifts"]), "counts")
        return look(settings, instance, key)[Topic.CHECK]["raw_raise/gifts: counts"].mark

    read(False)
    assert mark() == BAD
    read(True, **{"dagster/partition": "river"})
    assert mark() == UNKNOWN
    read(True)
    assert mark() is WELL


def test_a_failure_before_dagster_counts_until_a_later_run(settings: Settings, instance: dg.DagsterInstance) -> None:
    run(instance)
    note_attempt(settings, None, "The warehouse is in use.")
    assert look(settings, instance)[Topic.RUN] == {"all organizations": Seen(BAD, "The warehouse is in use.")}
    run(instance)
    assert look(settings, instance)[Topic.RUN]["all organizations"].mark is WELL


def test_the_run_of_one_organization_says_nothing_of_the_others(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    @dg.op
    def ingest_raise() -> None:
        raise dg.Failure("Raise is down.", allow_retries=False)

    @dg.job
    def reconcile() -> None:
        ingest_raise()

    run(instance)
    reconcile.execute_in_process(instance=instance, tags={"dagster/partition": "river"}, raise_on_error=False)
    seen = look(settings, instance)[Topic.RUN]
    assert {scope: found.mark for scope, found in seen.items()} == {"river": BAD, "all organizations": WELL}
    run(instance)
    assert {found.mark for found in look(settings, instance)[Topic.RUN].values()} == {WELL}


def test_stale_sides(settings: Settings, instance: dg.DagsterInstance, published: Path) -> None:
    found = look(settings, instance)[Topic.READING]
    assert found["river: Raise"] == Seen(BAD, "river: Raise: gifts were last read completely on 2026-03-01 06:00 UTC")
    assert found["river: CRM+"].mark is WELL
    assert len(found) == 2, "no organization that the settings do not name"


@pytest.mark.parametrize(("hours", "mark"), [(72, BAD), (73, WELL)])
def test_stale_by_the_threshold_of_the_settings(
    settings: Settings, instance: dg.DagsterInstance, published: Path, hours: int, mark: str | None
) -> None:
    found = look(settings.model_copy(update={"stale_after_hours": hours}), instance)[Topic.READING]
    assert found["river: Raise"].mark is mark


def test_exceptions_without_ids_or_names(settings: Settings, instance: dg.DagsterInstance, published: Path) -> None:
    (message,) = [m for m in due({}, look(settings, instance)) if m.topic is Topic.EXCEPTION]
    assert sorted(message.lines) == [
        "river: donor: Key names no contact: 1, worth 7.00",
        "river: gift: Expected and not in CRM+: 2, worth 5.00 EUR, 10.50 USD",
    ]
    assert message.marks == {"a": "0", "b": "0", "c": "2"}
    assert "471" not in message.text


def test_labels(settings: Settings, instance: dg.DagsterInstance, published: Path) -> None:
    found = look(settings, instance)[Topic.LABEL]
    assert found["river/11"] == Seen(
        "contradicted: Donor updated", "river: 11 is called “Donor updated” (contradicted)"
    )
    assert "river/12" not in found, "never observed"


def test_a_readers_file_that_cannot_be_read_is_told(settings: Settings, instance: dg.DagsterInstance) -> None:
    settings.published_path.write_text("not a database")
    seen = look(settings, instance)[Topic.PUBLISHING]["the readers' file"]
    assert seen.mark == BAD
    assert "cannot be read" in seen.text


def test_no_readers_file_says_nothing_of_data(settings: Settings, instance: dg.DagsterInstance) -> None:
    assert not {Topic.READING, Topic.EXCEPTION, Topic.LABEL} & look(settings, instance).keys()


def test_the_sensor_tells_of_a_dead_run_and_only_once(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, httpserver
) -> None:
    httpserver.expect_request("/hook").respond_with_data("ok")
    monkeypatch.setenv("ALERT_WEBHOOK_URL", httpserver.url_for("/hook"))
    killed = started_run(instance)
    subprocess.run([sys.executable, "-c", EXECUTES, killed], stdin=subprocess.DEVNULL, check=True)
    repository = dg.Definitions(sensors=[sensors.alerts]).get_repository_def()
    for _ in range(2):
        with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
            assert sensors.alerts(context).skip_message == "Everything is told."
    texts = [request.get_json()["text"] for request, _ in httpserver.log]
    assert len([text for text in texts if "A run failed" in text]) == 1
    assert "its process was killed" in texts[0]
    monkeypatch.setenv("ALERT_WEBHOOK_URL", "")
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        assert sensors.alerts(context).skip_message == "No address for alerts is set."
