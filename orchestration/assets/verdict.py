"""The last look at the marts before they are published."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg
import duckdb

from ingestion import machine
from ingestion.errors import TieoutError
from ingestion.settings import Settings, load_settings
from orchestration.assets.common import guarded
from orchestration.instance import WAREHOUSE_POOL
from orchestration.publishing import SCHEMA
from orchestration.resources import Turn
from orchestration.rules import MartRule

_BREACHES_SHOWN = 5


class PublishBlocked(TieoutError):
    """A check says that the readers' file would become wrong."""


def verdict_checks(rules: Sequence[MartRule]) -> dg.AssetChecksDefinition:
    """All of them in one step, which opens the warehouse once."""

    @dg.multi_asset_check(
        name="verdict",
        specs=[
            dg.AssetCheckSpec(
                rule.name, asset=dg.AssetKey([SCHEMA, rule.mart]), description=rule.says, blocking=rule.blocks
            )
            for rule in rules
        ],
        pool=WAREHOUSE_POOL,
    )
    def verdict(turn: Turn) -> Iterator[Any]:
        with guarded():
            settings = load_settings()
            blocked = []
            for rule, breaches in judged(settings, rules):
                yield _result(rule, breaches)
                if rule.blocks and breaches:
                    blocked.append(f"{SCHEMA}.{rule.mart} {rule.name} ({_shown(breaches)})")
            if blocked:
                raise PublishBlocked(
                    f"Nothing was published, readers keep the last good file: {', '.join(blocked)}."
                    f" If that is meant, move {settings.published_path} away and run again."
                )

    return verdict


def judged(settings: Settings, rules: Iterable[MartRule]) -> Iterator[tuple[MartRule, list[str] | None]]:
    """Each rule with what breaks it; None where the readers' file has nothing yet to compare with."""
    with machine.connect(settings.warehouse_path, read_only=True) as connection:
        has_readers = _attach_readers(connection, settings)
        for rule in rules:
            yield rule, _breaches(connection, rule) if has_readers or not rule.against else None


def _attach_readers(connection: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    quoted = str(settings.published_path).replace("'", "''")
    try:
        # Without the check ATTACH would make the file.
        if settings.published_path.exists():
            connection.execute(f"ATTACH '{quoted}' AS readers (TYPE duckdb, READ_ONLY)")
            return True
    except (duckdb.Error, OSError):
        # Damaged, or something else: publishing replaces it.
        pass
    return False


def _breaches(connection: duckdb.DuckDBPyConnection, rule: MartRule) -> list[str] | None:
    # All of an organization that readers did not have before would be new to them.
    known = "WHERE organization IN (SELECT organization FROM readers.marts.load_audit)"
    try:
        found = connection.execute(
            f"SELECT organization, breach FROM ({rule.breaches}) {known if rule.against else ''} ORDER BY ALL"
        ).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException):
        if rule.against:
            # It was written by an older version.
            return None
        raise
    return [f"{organization}: {breach}" for organization, breach in found]


def _result(rule: MartRule, breaches: Sequence[str] | None) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey([SCHEMA, rule.mart]),
        check_name=rule.name,
        passed=not breaches,
        severity=rule.severity,
        description="There is no published file to compare with." if breaches is None else _shown(breaches) or None,
        metadata={"breaches": len(breaches or ())},
    )


def _shown(breaches: Sequence[str]) -> str:
    more = len(breaches) - _BREACHES_SHOWN
    return "; ".join([*breaches[:_BREACHES_SHOWN], *([f"and {more:,} more"] if more > 0 else [])])
