"""The fixed furniture of the organization: campaigns, segments, projects and webhook subscriptions."""

from __future__ import annotations

from ingestion.sandbox.clock import DAY, START
from ingestion.sandbox.crm_plus_gift_rows import COSTS_PROJECT_ID

from .records import Campaign, CrmCampaign, Project, Segment, Webhook
from .state import World

ANNUAL_FUND = 801
YEAR_END = 802
SPRING_GALA = 803
MONTHLY_HEROES = 804
PEER_FUNDRAISERS = 805
OLD_IMPORT = 806
AUTUMN_WALK = 807
CLEAN_WATER = 808
CLEAN_WATER_TWIN = 809
EMERGENCY_RELIEF = 810
HARVEST_DRIVE = 811
WINTER_BALL = 812
RIVER_WATCH = 813

ALWAYS_ON = (ANNUAL_FUND, YEAR_END, MONTHLY_HEROES, EMERGENCY_RELIEF)
"""Campaigns that sync now and for ever."""

ALWAYS_OFF = (PEER_FUNDRAISERS, OLD_IMPORT, CLEAN_WATER_TWIN)
"""Campaigns that never sync."""

TURNS_OFF, TURNS_ON = SPRING_GALA, AUTUMN_WALK
"""The campaigns that are toggled when time first passes."""

OUTAGE = (START - 420 * DAY, START - 395 * DAY)
"""When EMERGENCY_RELIEF did not sync; nothing in either API tells."""

_CAMPAIGNS = (
    (ANNUAL_FUND, "Annual Fund", True),
    (YEAR_END, "Year End Appeal", True),
    (SPRING_GALA, "Spring Gala", True),
    (MONTHLY_HEROES, "Monthly Heroes", True),
    (PEER_FUNDRAISERS, "Peer Fundraisers", False),
    (OLD_IMPORT, "Old Platform Import", False),
    (AUTUMN_WALK, "Autumn Walk", False),
    (CLEAN_WATER, "Clean Water", True),
    (CLEAN_WATER_TWIN, "Clean Water", False),
    (EMERGENCY_RELIEF, "Emergency Relief", True),
    (HARVEST_DRIVE, "Harvest Drive", True),
    (WINTER_BALL, "Winter Ball", False),
    (RIVER_WATCH, "River Watch", True),
)

_PROJECTS = (
    (1, "Where Needed Most", "GENERAL"),
    (2, "Covers Processing Fees", "FEES"),
    (3, "School Meals", "MEALS"),
    (4, "Wells", "WELLS"),
    (5, "Scholarships", "SCHOLAR"),
    (6, "Donor Paid Cost", "DPC"),
    (7, "Processing Fees", "PF"),
)

COST_PROJECTS = (2, 6, 7)
"""Raise projects whose name says that they hold the costs that donors paid on top."""

ALL_EVENTS = (10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52)
CAMPAIGN_EVENTS = (40, 41, 42)
RECOMMENDED_EVENTS = (10, 11, 20, 21, 22, 30, 31)

RAISE_PROJECTS = (1, 3, 4, 5)
"""Raise project ids that gifts are given to; CRM+ numbers the same projects from 41."""


GENERAL_PROJECT = 41
"""The CRM+ project of gifts that are for nothing in particular."""


def crm_project(raise_project_id: int) -> int:
    """The CRM+ id of a Raise project."""
    return raise_project_id + 40 if raise_project_id else 0


def segment_of(campaign_id: int, choice: int) -> int:
    """One of the two segments of a campaign."""
    return (campaign_id - 800) * 10 + choice % 2 + 9_000


def furnish(world: World) -> None:
    """Create what every scale has."""
    founded = START - 1_600 * DAY
    for number, (id, name, can_sync) in enumerate(_CAMPAIGNS):
        created = founded + number * 3 * DAY
        world.campaigns.add(Campaign(id, name, can_sync, created, created + 40 * DAY))
        world.crm_campaigns.add(CrmCampaign(id - 800, name, created, id == OLD_IMPORT))
        for choice in (0, 1):
            code = f"S{id}{'AB'[choice]}"
            kind = ("Mail", "Online")[choice]
            world.segments.add(Segment(segment_of(id, choice), id, f"{name} {kind} {id}", code, created + DAY))
    for id, name, code in _PROJECTS:
        world.projects.add(Project(id, name, code, founded))
        world.crm_projects.add(Project(crm_project(id), name, code, founded))
    world.crm_projects.add(Project(COSTS_PROJECT_ID, "Bank Charges", "CREDITCARDCOSTS", founded))
    world.crm_projects.add(Project(COSTS_PROJECT_ID + 1, "Gateway Charges", "ProcessingFee", founded))
    for webhook in (
        Webhook(31, "Warehouse feed", RECOMMENDED_EVENTS, 1, founded + 90 * DAY),
        Webhook(32, "All Raise events", ALL_EVENTS, 1, founded + 200 * DAY),
        Webhook(33, "Retired receiver", ALL_EVENTS, 2, founded + 10 * DAY),
    ):
        if world.options.has_webhooks:
            world.webhooks.add(webhook)
