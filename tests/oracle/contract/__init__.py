"""A second reading of the warehouse contract: what the reconciliation says of one organization, in plain Python.

It shares nothing with the dbt models but the contract and the decisions on it, so that a misreading of either shows as
a difference. Rules stand in the order of the contract. Amounts are Decimals, instants are aware datetimes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.oracle.contract.donors import Donors
from tests.oracle.contract.gifts import Gifts
from tests.oracle.contract.schedules import Schedules
from tests.oracle.contract.values import Key
from tests.oracle.organization import Organization, Row


class Oracle(Donors, Gifts, Schedules):
    """What the marts say of one organization: `donors`, `gifts` and `recurring_gifts`, each by `Key`."""


def differences(
    organization: Organization, marts: dict[str, dict[Key, Row]]
) -> Iterable[tuple[str, Key, str, Any, Any]]:
    """(entity, key, column, expected, found) where the marts say something else than the contract."""
    oracle = Oracle(organization)
    for entity in ("donors", "gifts", "recurring_gifts"):
        expected, found = getattr(oracle, entity)(), marts[entity]
        for key in sorted(expected.keys() | found.keys(), key=str):
            if key not in expected or key not in found:
                ours = expected.get(key, {}).get("status", "no row")
                yield entity, key, "status", ours, found.get(key, {}).get("status", "no row")
                continue
            for column, value in expected[key].items():
                if column != "status" and expected[key]["status"] != found[key]["status"]:
                    continue
                if found[key][column] != value:
                    yield entity, key, column, value, found[key][column]
