"""Costs that donors paid on top: under which name, and on which side, they appear."""

from __future__ import annotations

from ingestion.sandbox.crm_plus_gift_rows import COSTS_PROJECT_ID

from .organization import COST_PROJECTS, crm_project
from .records import Gift
from .situations import Situation
from .state import World
from .sync import transfer

_SEVERAL = (COSTS_PROJECT_ID, COSTS_PROJECT_ID + 1, *(crm_project(id) for id in COST_PROJECTS))
"""CRM+ projects whose name or code says that they hold costs."""


def costs(_world: World, gift: Gift) -> None:
    """The donor pays the costs."""
    gift.costs = gift.cents * 3 // 100 + 30
    gift.second_project_id = 0


def _allocated(world: World, gift: Gift) -> None:
    costs(world, gift)
    gift.costs_project_id = COST_PROJECTS[gift.cents // 50 % len(COST_PROJECTS)]


def _with_designation(world: World, gift: Gift) -> None:
    row = transfer(world, gift, gift.cents + gift.costs)
    row.costs, row.costs_project_id = gift.costs, _SEVERAL[gift.id % len(_SEVERAL)]


def with_any_designation(world: World, gift: Gift) -> None:
    """The costs go to an ordinary project, as the page was set to."""
    row = transfer(world, gift, gift.cents + gift.costs)
    row.costs, row.costs_project_id = gift.costs, crm_project(_other_project(gift))


def _with_two_designations(world: World, gift: Gift) -> None:
    """What is beyond the amount lies in two projects: that need not be costs."""
    row = transfer(world, gift, gift.cents + gift.costs)
    row.project_id, row.second_project_id = crm_project(gift.project_id), crm_project(_other_project(gift))


def _with_a_designation_unasked(world: World, gift: Gift) -> None:
    """The donor pays no costs, and CRM+ has more all the same."""
    row = transfer(world, gift, gift.cents + 111)
    row.second_project_id = 0
    row.costs, row.costs_project_id = 111, crm_project(_other_project(gift))


def _with_more(world: World, gift: Gift) -> None:
    transfer(world, gift, gift.cents + gift.costs)


def _inside(world: World, gift: Gift) -> None:
    row = transfer(world, gift)
    row.costs, row.costs_project_id = gift.costs, COSTS_PROJECT_ID


def _nobody_pays(_world: World, gift: Gift) -> None:
    gift.second_project_id = 0


def _other_project(gift: Gift) -> int:
    return 5 if gift.project_id != 5 else 4


SITUATIONS = (
    Situation("costs_designation", "matched_with_costs", 4, 0.02, costs, _with_designation),
    Situation("costs_allocation", "matched_with_costs", 3, 0.01, _allocated, _with_more),
    Situation("costs_to_any_project", "matched_with_costs", 2, 0.004, costs, with_any_designation),
    Situation("costs_inside", "matched", 2, 0.004, costs, _inside),
    Situation("surplus_in_two_projects", "amount_mismatch", 1, 0.0002, costs, _with_two_designations),
    Situation("surplus_without_costs", "amount_mismatch", 1, 0.0002, _nobody_pays, _with_a_designation_unasked),
)
