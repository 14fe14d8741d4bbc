"""The dbt project keeps its contract: everything described, every mart typed, every wall in place.

The project is parsed once, without a warehouse and without a network, and the assertions read the manifest.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from ingestion import identity
from ingestion.settings import PUBLISHED_SCHEMAS, WAREHOUSE_SCHEMAS
from orchestration.publishing import SCHEMA

PROJECT = Path(__file__).parents[2] / "transform"

RESOURCES = {
    "raw_raise": "campaigns segments projects donors recurring_gifts gifts webhooks webhook_logs webhook_log_payloads",
    "raw_crm_plus": "organization campaigns projects contacts recurring_gifts gifts",
}
OPERATIONS = "read_progress load_audit quarantined_records schema_drift connections"

# Every column that readers of a mart count on, by mart. A mart may have more.
COLUMNS = {
    "recon_donors": """organization raise_id crm_id status evidence confidence cause is_exception expected_since
        age_hours raise_amount crm_amount crm_url as_of crm_key crm_key_contact_id email name email_agrees name_agrees
        shares_contact gift_count gift_amount""",
    "recon_gifts": """organization raise_id crm_id status evidence confidence cause is_exception expected_since
        age_hours
        raise_amount crm_amount crm_url as_of donor_id contact_id crm_contact_id crm_gift_ids gift_date crm_gift_date
        status_text campaign donation_kind covered_costs reversal_evidence""",
    "recon_recurring_gifts": """organization raise_id crm_id status evidence confidence cause is_exception
        expected_since
        age_hours raise_amount crm_amount crm_url as_of""",
    "recon_exceptions": """exception_id organization entity code severity raise_id crm_id amount_at_stake cause
        recommended_action crm_url first_seen_at last_seen_at resolved_at reopened_count state age_days age_bucket
        waived_reason waived_until""",
    "recon_summary": "organization entity status records amount share as_of",
    "recon_daily_totals": "organization gift_date campaign variance is_balanced",
    "sync_lag": "organization day entity records p50_seconds p90_seconds p99_seconds max_seconds",
    "backfill_candidates": "organization raise_id donor_id raise_amount gift_date campaign",
    "link_key_discovery": "organization record_kind transaction_source raise_field in_use suggested",
    "donors": "organization donor_id crm_id recon_status crm_url is_deleted is_test_mode",
    "gifts": "organization gift_id donation_kind crm_id recon_status crm_url is_deleted is_test_mode",
    "gift_projects": "organization gift_id position crm_id recon_status crm_url is_deleted is_test_mode",
    "recurring_gifts": "organization recurring_gift_id crm_id recon_status crm_url is_deleted is_test_mode",
    "campaigns": "organization campaign_id crm_id recon_status crm_url is_deleted",
    "campaign_sync_windows": "organization campaign_id can_sync valid_from valid_to evidence",
    "event_type_labels": """organization event_type resource_family action hypothesis_label observed_label observations
        label_count first_observed_at last_observed_at status""",
    "enum_labels": """organization field value label observations label_count first_observed_at last_observed_at
        mapped_to""",
    "webhook_events": """organization event_key event_type label resource_family action context_id occurred_at
        modified_at attempts first_attempt_at delivered_at is_delivered is_out_of_order is_latest_for_record
        effective_action donation_kind payload""",
    "webhook_delivery_health": """organization webhook_id day attempts events delivered_share failures_by_status
        last_success_at last_failure_at last_failure_response""",
    "webhook_payload_states": "organization is_about_campaign payload_state entries oldest_at newest_at",
    "webhook_subscription_coverage": "organization event_type active_webhooks is_recommended is_gap",
    "records_missing_from_warehouse": "organization entity record_id age_hours status severity",
    "load_audit": """organization source resource run_id mode started_at finished_at is_complete rows_read api_total
        rows_new rows_changed rows_deleted rows_quarantined requests retries throttled_seconds watermark""",
    "quarantined_records": """organization source resource record_id error raw_text first_seen_at last_seen_at attempts
        resolved_at""",
    "schema_drift": "organization source resource field kind first_seen_at last_seen_at example",
}

DEFAULTS: dict[str, Any] = {
    "late_after_hours": 24,
    "missing_after_hours": 72,
    "stale_after_hours": 48,
    "amount_tolerance": 0.01,
    "date_tolerance_days": 1,
    "settled_gift_statuses": ["Approved"],
    "reversed_gift_statuses": ["Refunded", "ChargeBack"],
    "raise_reference_sources": ["RaiseDonors", "Raise", "Virtuous Raise", "Legacy RaiseDonors"],
    "raise_transaction_sources": ["RaiseDonors", "Raise", "Virtuous Raise", "Legacy RaiseDonors"],
    "transaction_id_fields": ["id"],
    "include_test_mode": False,
    "covered_cost_projects": [
        "Covers Processing Fees",
        "Donor Paid Cost",
        "Processing Fee",
        "Processing Fees",
        "ProcessingFee",
        "CREDITCARDCOSTS",
    ],
    "recommended_event_types": [10, 11, 20, 21, 22, 30, 31],
}

STATUSES = {
    "recon_donors": """test_mode deleted not_applicable not_assessable foreign_key conflict dangling archived merged
        linked
        linked_by_reference ambiguous_reference sync_disabled no_activity pending late missing orphan""",
    "recon_gifts": """test_mode deleted not_applicable not_assessable not_expected sync_disabled pending late missing
        refund_not_reversed reversal_without_refund duplicate amount_mismatch contact_mismatch date_mismatch
        matched_split
        matched_with_costs matched orphan""",
    "recon_recurring_gifts": """test_mode deleted not_applicable not_assessable foreign_key dangling duplicate
        not_expected
        sync_disabled pending late missing state_mismatch amount_mismatch frequency_mismatch contact_mismatch
        linked_by_reference linked orphan""",
}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("dbt")
    beside_python = Path(sysconfig.get_path("scripts")) / "dbt"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "WAREHOUSE_PATH": str(folder / "warehouse.duckdb"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    command = [
        str(beside_python) if beside_python.exists() else "dbt",
        "parse",
        "--warn-error",
        *("--project-dir", str(PROJECT)),
        *("--profiles-dir", str(PROJECT)),
        *("--target-path", str(folder / "target")),
        *("--log-path", str(folder / "logs")),
    ]
    parsed = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert parsed.returncode == 0, f"dbt parse failed:\n{parsed.stdout}{parsed.stderr}"
    loaded: dict[str, Any] = json.loads((folder / "target" / "manifest.json").read_text())
    return loaded


def nodes(manifest: dict[str, Any], *kinds: str) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] in kinds]


def models(manifest: dict[str, Any], schema: str) -> list[dict[str, Any]]:
    found = [node for node in nodes(manifest, "model") if node["schema"] == schema]
    assert found, f"no models in schema {schema}"
    return found


def test_schemas_are_those_of_the_contract(manifest: dict[str, Any]) -> None:
    strays = {
        node["name"]: node["schema"]
        for node in nodes(manifest, "model", "seed", "snapshot")
        if node["schema"] not in {"staging", "intermediate", "marts"}
    }
    assert not strays


def test_settings_have_the_contracts_defaults(manifest: dict[str, Any]) -> None:
    # vars stand in the project file only; the manifest does not repeat them
    yaml = pytest.importorskip("yaml")
    declared = yaml.safe_load((PROJECT / "dbt_project.yml").read_text())["vars"]
    assert {name: declared.get(name) for name in DEFAULTS} == DEFAULTS


def test_every_raw_table_is_a_source(manifest: dict[str, Any]) -> None:
    declared = {(source["source_name"], source["name"]) for source in manifest["sources"].values()}
    expected = {
        (schema, table) for schema, resources in RESOURCES.items() for table in f"{resources} {OPERATIONS}".split()
    }
    assert declared == expected
    elsewhere = [s["unique_id"] for s in manifest["sources"].values() if s["schema"] != s["source_name"]]
    assert not elsewhere, f"sources whose schema is not the name of the source: {elsewhere}"


def test_sources_declare_the_columns_that_ingestion_writes(manifest: dict[str, Any]) -> None:
    columns = pytest.importorskip("ingestion.columns")
    raise_resources = pytest.importorskip("ingestion.virtuous_raise.resources")
    crm_plus_resources = pytest.importorskip("ingestion.virtuous_crm_plus.resources")
    operations = pytest.importorskip("ingestion.operations")
    written: dict[tuple[str, str], set[str]] = {}
    for schema, module in (("raw_raise", raise_resources), ("raw_crm_plus", crm_plus_resources)):
        for resource in module.RESOURCES:
            declared = {column.name for column in (*resource.columns, *columns.BOOKKEEPING)}
            written[schema, resource.name] = declared | {"organization", "_dlt_load_id", "_dlt_id"}
        for table, (declared_columns, _) in operations.TABLES.items():
            written[schema, table] = {column.name for column in declared_columns} | {"organization"}
    described = {(s["source_name"], s["name"]): set(s["columns"]) for s in manifest["sources"].values()}
    differences = {key: described.get(key, set()) ^ names for key, names in written.items()}
    assert not {key: names for key, names in differences.items() if names}


def test_every_resource_has_a_staging_model(manifest: dict[str, Any]) -> None:
    staged = {dependency for node in models(manifest, "staging") for dependency in node["depends_on"]["nodes"]}
    missing = sorted(manifest["sources"].keys() - staged)
    assert not missing, f"sources that no staging model reads: {missing}"
    misnamed = [
        n["name"] for n in models(manifest, "staging") if not re.match(r"stg_(raise|crm_plus)__\w+$", n["name"])
    ]
    assert not misnamed


def test_staging_reads_one_source_and_joins_nothing(manifest: dict[str, Any]) -> None:
    for node in models(manifest, "staging"):
        dependencies = node["depends_on"]["nodes"]
        assert [name.partition(".")[0] for name in dependencies] == ["source"], f"{node['name']}: {dependencies}"
        assert not re.search(r"\bjoin\b", node["raw_code"], re.IGNORECASE), f"{node['name']} joins"
        assert node["config"]["materialized"] == "view", f"{node['name']} is no view"


def test_only_staging_reads_sources(manifest: dict[str, Any]) -> None:
    culprits = [
        node["name"]
        for node in nodes(manifest, "model", "snapshot")
        if node["schema"] != "staging" and any(d.startswith("source.") for d in node["depends_on"]["nodes"])
    ]
    assert not culprits, f"read a source past staging: {culprits}"


def test_everything_is_described(manifest: dict[str, Any]) -> None:
    described = [*nodes(manifest, "model", "seed", "snapshot"), *manifest["sources"].values()]
    silent = []
    for node in described:
        if not node["description"].strip():
            silent.append(node["unique_id"])
        if not node["columns"]:
            silent.append(f"{node['unique_id']}: no columns")
        silent += [f"{node['unique_id']}.{c['name']}" for c in node["columns"].values() if not c["description"].strip()]
    assert not silent, f"without description: {silent}"


def test_seeds_describe_exactly_their_columns(manifest: dict[str, Any]) -> None:
    for seed in nodes(manifest, "seed"):
        header = (PROJECT / seed["original_file_path"]).read_text().splitlines()[0].split(",")
        is_edited = f"model.tieout.int_seeds__{seed['name']}" in manifest["nodes"]
        told_besides = {"line", "line_text", "line_problem"} if is_edited else set()
        assert {*header, *told_besides} == set(seed["columns"]), seed["name"]


def test_every_mart_enforces_its_types(manifest: dict[str, Any]) -> None:
    for mart in models(manifest, "marts"):
        assert mart["contract"]["enforced"], f"{mart['name']} enforces no contract"
        untyped = [column["name"] for column in mart["columns"].values() if not column["data_type"]]
        assert not untyped, f"{mart['name']}: no type for {untyped}"
        assert next(iter(mart["columns"])) == "organization", f"{mart['name']} is not keyed by organization first"


def test_money_and_everything_else_is_never_a_float(manifest: dict[str, Any]) -> None:
    floats = [
        f"{node['name']}.{column['name']}"
        for node in [*nodes(manifest, "model", "seed"), *manifest["sources"].values()]
        for column in node["columns"].values()
        if re.search(r"float|double|real", column["data_type"] or "", re.IGNORECASE)
    ]
    assert not floats
    casts = [
        node["name"]
        for node in nodes(manifest, "model", "snapshot")
        if re.search(r"\b(float|double|real)\b", re.sub(r"--.*", "", node["raw_code"]), re.IGNORECASE)
    ]
    assert not casts, f"cast to a float: {casts}"
    for mart in models(manifest, "marts"):
        for column in mart["columns"].values():
            if column["name"].endswith("amount"):
                assert column["data_type"] == "DECIMAL(18,2)", f"{mart['name']}.{column['name']}: {column['data_type']}"
            if column["name"].endswith(("_at", "_since", "valid_from", "valid_to", "as_of")):
                is_instant = column["data_type"] == "TIMESTAMP WITH TIME ZONE"
                assert is_instant, f"{mart['name']}.{column['name']}: {column['data_type']}"


@pytest.mark.parametrize("mart", COLUMNS)
def test_marts_have_the_contracts_columns(manifest: dict[str, Any], mart: str) -> None:
    by_name = {node["name"]: node for node in models(manifest, "marts")}
    assert mart in by_name, f"no mart {mart}"
    missing = set(COLUMNS[mart].split()) - set(by_name[mart]["columns"])
    assert not missing, f"{mart} lacks {sorted(missing)}"


def test_marts_and_their_statuses_are_tested(manifest: dict[str, Any]) -> None:
    attached: dict[str, set[str]] = {}
    for test in nodes(manifest, "test"):
        if "test_metadata" in test:
            attached.setdefault(test["attached_node"], set()).add(test["test_metadata"]["name"])
    for mart in models(manifest, "marts"):
        kinds = attached.get(mart["unique_id"], set())
        assert kinds & {"primary_key", "unique_combination"}, f"{mart['name']}: nothing tests its key"


@pytest.mark.parametrize("mart", STATUSES)
def test_every_status_has_a_row_in_the_seed_and_in_the_rule(mart: str) -> None:
    entity = mart.removeprefix("recon_").removesuffix("s")
    seed = (PROJECT / "seeds" / "recon_statuses.csv").read_text().splitlines()
    in_seed = [line.split(",")[1] for line in seed if line.startswith(f"{entity},")]
    assert in_seed == STATUSES[mart].split()
    rule = next(PROJECT.glob(f"models/**/{mart}.sql")).read_text()
    judged = rule[rule.index("judged as (") : rule.index("end as status")]
    # rows that only CRM+ has stand among the rules and have no place in the order of the others
    rules = [line for line in judged.splitlines() if "is_crm_plus_only" not in line]
    in_rule = list(dict.fromkeys(re.findall(r"(?:then|else) '(\w+)'", "\n".join(rules))))
    assert in_rule == [status for status in in_seed if status != "orphan"], "the rules stand in another order"
    assert "then 'orphan'" in judged


@pytest.mark.parametrize("mart", STATUSES)
def test_every_status_is_unit_tested(manifest: dict[str, Any], mart: str) -> None:
    expected = {
        row.get("status")
        for test in manifest["unit_tests"].values()
        if test["model"] == mart
        for row in test["expect"]["rows"]
    }
    assert not set(STATUSES[mart].split()) - expected


def test_the_register_of_exceptions_outlives_a_full_refresh(manifest: dict[str, Any]) -> None:
    register = next(node for node in models(manifest, "marts") if node["name"] == "recon_exceptions")
    assert register["config"]["materialized"] == "incremental"
    assert register["config"]["full_refresh"] is False


def test_rows_of_a_maintained_table_are_told_apart(manifest: dict[str, Any]) -> None:
    # one that comes twice would be taken for one that stands
    maintained = {
        node["unique_id"]
        for schema in ("intermediate", "marts")
        for node in models(manifest, schema)
        if node["config"]["materialized"] == "maintained_table"
    }
    tested = {
        node["attached_node"]
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test"
        and (node.get("test_metadata") or {}).get("name") in {"primary_key", "unique_combination"}
    }
    assert maintained
    assert not maintained - tested


@pytest.mark.parametrize("mart", STATUSES)
def test_reconciliations_restate_as_of_and_nothing_else(manifest: dict[str, Any], mart: str) -> None:
    model = next(node for node in models(manifest, "marts") if node["name"] == mart)
    assert model["config"]["meta"]["restated"] == ["as_of"]
    entity = mart.removeprefix("recon_").removesuffix("s")
    assert [hook["sql"] for hook in model["config"]["post-hook"]] == [f"{{{{ restate_as_of('{entity}') }}}}"]
    # a check that reads a list would have every row written anew with it
    lists = {name for name, column in model["columns"].items() if column["data_type"].endswith("[]")}
    constraints = [*model["constraints"], *(c for column in model["columns"].values() for c in column["constraints"])]
    read = {word for c in constraints if c["type"] == "check" for word in re.findall(r"\w+", c["expression"])}
    assert not read & lists


def test_no_other_table_leaves_columns_out_of_the_comparison(manifest: dict[str, Any]) -> None:
    restating = {node["name"] for node in manifest["nodes"].values() if "restated" in node["config"].get("meta", {})}
    assert restating == set(STATUSES)


def test_the_project_stands_alone() -> None:
    assert not (PROJECT / "packages.yml").exists()
    assert not (PROJECT / "dependencies.yml").exists()
    for path in (p for p in PROJECT.rglob("*") if p.suffix in {".sql", ".yml", ".csv"} and "target" not in p.parts):
        text = path.read_text()
        where = path.relative_to(PROJECT)
        assert "dagster" not in text.lower(), f"{where} knows Dagster"
        assert not re.search(r"^\s*(install|load)\s+\w+\s*;", text, re.IGNORECASE | re.MULTILINE), f"{where}: extension"
        assert not re.search(r"['\"\s](/home|/work|/tmp|/Users)/", text), f"{where} holds an absolute path"
        assert not re.search(r"\b(now\(\)|current_timestamp|current_date|get_current_timestamp)", text), (
            f"{where} reads the wall clock"
        )


def test_usage_statistics_are_off() -> None:
    assert "send_anonymous_usage_stats: false" in (PROJECT / "dbt_project.yml").read_text()


def test_the_settings_know_every_schema(manifest: dict[str, Any]) -> None:
    """A file of such a name could not be read: DuckDB takes the name for that of the file's database."""
    nodes = [*manifest["nodes"].values(), *manifest["sources"].values()]
    schemas = {node["schema"] for node in nodes if node["resource_type"] in ("model", "seed", "snapshot", "source")}
    assert {SCHEMA} == PUBLISHED_SCHEMAS
    assert schemas | {f"{raw}_staging" for raw in RESOURCES} | {identity.SCHEMA} == WAREHOUSE_SCHEMAS
