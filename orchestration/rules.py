"""What is checked beyond dbt's own tests: what it tolerates, how grave a breach is, and whether it stops publishing.

The one place of severities and thresholds. dbt's tests say theirs in the YAML of their models: one of severity `error`
(keys, contracts, totals that must tie out) stops the run before anything is published, one of `warn` does not.

A rule stops publishing only where the readers' file would become wrong. A finding belongs in front of readers, and
what could not be read is told by the marts themselves (`not_assessable`).
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import dagster as dg

from ingestion.errors import SettingsError
from ingestion.settings import Settings, load_settings

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dataclass(frozen=True)
class Rule:
    """One check. `severity` is that of a breach."""

    name: str
    says: str
    severity: dg.AssetCheckSeverity


@dataclass(frozen=True)
class MartRule(Rule):
    """One that looks at a mart before it is published.

    `breaches` is a query of what breaks it, as `organization` and a `breach` in words, without personal data. The
    marts are those of the warehouse; with `against` they are compared with the `readers` file that is out.
    """

    mart: str
    breaches: str
    blocks: bool = False
    against: Literal["readers"] | None = None


# Of each resource, when it is read.

READ_COMPLETELY = Rule(
    "read_completely",
    "Every row that the API counts is accounted for, and not more than 20 % of them vanished at once.",
    ERROR,
)
UNFINISHED = WARN
"""A reading that is not complete, and met no fault, or is of what the product does not give."""

# Of each source, when it was read.

READ_AGAIN_IN_TIME = Rule("read_again_in_time", "No row went unread for longer than FULL_SWEEP_EVERY_DAYS.", ERROR)
READ_LATELY = Rule(
    "read_lately", "The last complete reading of each resource is not older than STALE_AFTER_HOURS.", ERROR
)
HAS_NEWS = Rule("has_news", "The newest record or change is not older than QUIET_AFTER_DAYS.", WARN)

SAME_ORGANIZATION = Rule(
    "same_organization", "The credential opens the organization whose rows the warehouse holds.", ERROR
)

READING_RULES = (READ_COMPLETELY, READ_AGAIN_IN_TIME, READ_LATELY, HAS_NEWS, SAME_ORGANIZATION)

# Of the marts, before they are published.

MOST_LOST = 0.2
"""A share of the rows of a mart. Rows that vanish from Raise stay there, flagged: fewer are never right."""
MOST_NEW_IN_QUARANTINE = 10
"""Fields and records of a resource."""
MOST_WRONG = 0.1
"""A share of an entity's records: open exceptions of severity `error`."""
FEWEST_WRONG = 25
"""From so many on: a share of few records tells nothing."""
MOST_UNBALANCED = 0.05
"""A share of the days that can be judged."""
FEWEST_UNBALANCED = 5


def _rows_are_kept(mart: str) -> MartRule:
    return MartRule(
        "rows_are_kept",
        f"No organization has {MOST_LOST:.0%} fewer rows than in the file that readers have.",
        ERROR,
        mart,
        f"""
        SELECT
            before.organization,
            format('{{:,}} rows instead of {{:,}}', coalesce(now.row_count, 0), before.row_count) AS breach
        FROM (SELECT organization, count(*) AS row_count FROM readers.marts.{mart} GROUP BY ALL) AS before
        LEFT JOIN (SELECT organization, count(*) AS row_count FROM marts.{mart} GROUP BY ALL) AS now
            USING (organization)
        WHERE coalesce(now.row_count, 0) < before.row_count * (1 - {MOST_LOST})
        """,
        blocks=True,
        against="readers",
    )


EVENT_LABELS_STAY = MartRule(
    "event_labels_stay",
    "No webhook event type is called something new, or means something else than readers know.",
    WARN,
    "event_type_labels",
    """
    SELECT
        now.organization,
        format(
            '{} is called {}, {}', now.event_type, coalesce(now.observed_label, 'nothing'), now.status
        ) AS breach
    FROM marts.event_type_labels AS now
    LEFT JOIN readers.marts.event_type_labels AS before USING (organization, event_type)
    WHERE
        now.observed_label IS DISTINCT FROM before.observed_label
        OR (now.status != before.status AND now.status IN ('ambiguous', 'contradicted'))
    """,
    against="readers",
)

MART_RULES = (
    MartRule(
        "both_sides_are_there",
        "No product reads as empty while the other one, or an earlier read, says that there are records.",
        ERROR,
        "recon_summary",
        "SELECT organization, reason AS breach FROM intermediate.int_recon__empty_sides",
    ),
    _rows_are_kept("donors"),
    _rows_are_kept("gifts"),
    _rows_are_kept("recurring_gifts"),
    MartRule(
        "quarantine_does_not_grow",
        f"Not more than {MOST_NEW_IN_QUARANTINE} fields or records of a resource are in quarantine that readers do not"
        " know of.",
        WARN,
        "quarantined_records",
        f"""
        SELECT organization, format('{{:,}} more of {{}} {{}}', count(*), source, resource) AS breach
        FROM (
            SELECT organization, source, resource, record_id, field
            FROM marts.quarantined_records WHERE resolved_at IS NULL
            EXCEPT
            SELECT organization, source, resource, record_id, field
            FROM readers.marts.quarantined_records WHERE resolved_at IS NULL
        )
        GROUP BY organization, source, resource
        HAVING count(*) > {MOST_NEW_IN_QUARANTINE}
        """,
        against="readers",
    ),
    EVENT_LABELS_STAY,
    MartRule(
        "enum_labels_stay",
        "No state or frequency is new, or called something else than readers know.",
        WARN,
        "enum_labels",
        """
        SELECT
            now.organization,
            format('{} {} is called {}', now.field, now.value, coalesce(now.label, 'nothing')) AS breach
        FROM marts.enum_labels AS now
        LEFT JOIN readers.marts.enum_labels AS before
            ON
                now.organization = before.organization
                AND now.field = before.field
                AND now.value IS NOT DISTINCT FROM before.value
                -- a word of CRM+ comes without an integer: it is its own key
                AND (now.value IS NOT NULL OR now.label = before.label)
        WHERE before.field IS NULL OR now.label IS DISTINCT FROM before.label
        """,
        against="readers",
    ),
    MartRule(
        "schema_does_not_drift",
        "No field appeared, vanished or changed its type that readers do not know of.",
        WARN,
        "schema_drift",
        """
        SELECT organization, format('{} {} {}: {}', source, resource, field, replace(kind, '_', ' ')) AS breach
        FROM (
            SELECT organization, source, resource, field, kind FROM marts.schema_drift
            EXCEPT
            SELECT organization, source, resource, field, kind FROM readers.marts.schema_drift
        )
        """,
        against="readers",
    ),
    MartRule(
        "exceptions_are_few",
        f"Open exceptions of severity error are at most {MOST_WRONG:.0%} of an entity's records, or fewer than"
        f" {FEWEST_WRONG}.",
        WARN,
        "recon_exceptions",
        f"""
        SELECT wrong.organization, format('{{:,}} of {{:,}} {{}}s', wrong.found, total.records, wrong.entity) AS breach
        FROM (
            SELECT organization, entity, count(*) AS found FROM marts.recon_exceptions
            WHERE state = 'open' AND severity = 'error' GROUP BY ALL
        ) AS wrong
        INNER JOIN (
            SELECT organization, entity, sum(records)::BIGINT AS records FROM marts.recon_summary GROUP BY ALL
        ) AS total USING (organization, entity)
        WHERE wrong.found >= {FEWEST_WRONG} AND wrong.found > total.records * {MOST_WRONG}
        """,
    ),
    MartRule(
        "days_balance",
        f"At most {MOST_UNBALANCED:.0%} of the days that can be judged are out of balance, or fewer than"
        f" {FEWEST_UNBALANCED}.",
        WARN,
        "recon_daily_totals",
        f"""
        SELECT
            organization,
            format('{{:,}} of {{:,}}', count(*) FILTER (WHERE NOT is_balanced), count(is_balanced)) AS breach
        FROM marts.recon_daily_totals
        GROUP BY organization
        HAVING
            count(*) FILTER (WHERE NOT is_balanced) >= {FEWEST_UNBALANCED}
            AND count(*) FILTER (WHERE NOT is_balanced) > count(is_balanced) * {MOST_UNBALANCED}
        """,
    ),
)


def freshness_policy() -> dg.FreshnessPolicy:
    """Until when a table must have been made again: STALE_AFTER_HOURS, of the strictest organization."""
    try:
        hours = min(organization.stale_after_hours for organization in load_settings().organizations)
    except SettingsError:
        hours = Settings.model_fields["stale_after_hours"].default
    window = timedelta(hours=hours)
    return dg.FreshnessPolicy.time_window(fail_window=window, warn_window=window * 3 / 4)
