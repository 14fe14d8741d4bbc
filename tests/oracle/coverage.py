"""How often random organizations hit each rule: a rule that none of them hits is not compared.

`python -m tests.oracle.coverage --count 150 --seed 3` prints it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Annotated

import typer

from tests.oracle.contract import Oracle
from tests.oracle.organization import Organization
from tests.oracle.worlds import organizations


def coverage(of: Iterable[Organization]) -> Counter[str]:
    """Records by status, evidence and what else the rules of gifts and of reads hang on."""
    hits: Counter[str] = Counter()
    for organization in of:
        oracle = Oracle(organization)
        for entity in ("donors", "gifts", "recurring_gifts"):
            hits.update(f"{entity} {row['status']}" for row in getattr(oracle, entity)().values())
        if organization.runs_crm_plus:
            hits.update(_gifts(oracle))
            hits.update(_reads(oracle))
        hits.update(_switches(oracle))
    return hits


def _gifts(oracle: Oracle) -> Iterable[str]:
    for (raise_id, _), row in oracle.gifts().items():
        if raise_id is None:
            continue
        match, status = oracle.matches[raise_id], row["status"]
        yield f"evidence {row['evidence']}"
        yield f"reversal evidence {row['reversal_evidence']}"
        if match.is_moved:
            yield f"moved, {status}"
        if match.reversed_by_amount:
            yield f"reversed by amount, {status}"
        if match.candidates:
            yield f"several candidates, {oracle.group(oracle.raise_gifts[raise_id])}, {status}"
        if not match.gifts and status == "not_assessable" and oracle.likes(raise_id, oracle.of_other_systems):
            yield "like a gift of another system"
        if any(len(oracle.contacts_of_gift(oracle.crm_gifts[gift])) > 1 for gift in match.gifts):
            yield f"passed through, {status}"


def _reads(oracle: Oracle) -> Iterable[str]:
    if oracle.as_of("gift") is not None:
        sides = (("raise", "donors"), ("crm_plus", "contacts"), ("crm_plus", "gifts"))
        yield from (f"no {' '.join(side)}" for side in sides if oracle.is_empty(side))
    yield from (f"foreign {source}" for source in oracle.o.foreign)
    if any(read["started_at"] > oracle.o.clock for read in oracle.o.reads):
        yield "a read that was ahead"


def _switches(oracle: Oracle) -> Iterable[str]:
    for gift in oracle.raise_gifts.values():
        for campaign in oracle.campaigns_of(gift):
            if campaign in oracle.sync_observations and oracle.can_sync(campaign, oracle.created(gift)) is None:
                yield "evidence lies unread"


def main(
    count: Annotated[int, typer.Option(help="How many organizations.")] = 150,
    seed: Annotated[int, typer.Option(help="Another seed, other organizations.")] = 1,
) -> None:
    for rule, hits in sorted(coverage(organizations(seed, count)).items()):
        print(f"{hits:6} {rule}")


if __name__ == "__main__":
    typer.run(main)
