"""Campaigns that were switched a while ago, which nothing tells but the oldest entries of the delivery log."""

from __future__ import annotations

from dataclasses import replace

from ingestion.sandbox.clock import DAY, START
from ingestion.sandbox.raise_rows import campaign_row

from .events import EventLog
from .organization import HARVEST_DRIVE, RIVER_WATCH, WINTER_BALL
from .planting import MEANWHILE
from .records import BY_CAMPAIGN, BY_IDS, BY_SEGMENT, Gift
from .situations import Situation, Step, nothing, put_under
from .state import World
from .sync import sync_gift

SWITCHED = (
    (HARVEST_DRIVE, START - 30 * DAY, False, True),
    (HARVEST_DRIVE, START - 10 * DAY, True, True),
    (WINTER_BALL, START - 30 * DAY, True, True),
    (WINTER_BALL, START - 10 * DAY, False, True),
    (RIVER_WATCH, START - 30 * DAY, False, True),
    (RIVER_WATCH, START - 20 * DAY, True, False),
)
"""Campaign, when, whether it synced from then on, and whether the log tells it so that anybody can understand it."""

LATELY = (4 * 24.0, 9 * 24.0)
"""Hours: after both switches."""
SINCE_THE_LAST = (4 * 24.0, 28 * 24.0)
"""Between the last switch that can be understood and the world's beginning."""


def log_switches(log: EventLog) -> None:
    """Write the switches into the log, ahead of everything younger."""
    for campaign_id, at, can_sync, is_understood in SWITCHED:
        campaign = replace(log.world.campaigns[campaign_id], can_sync=can_sync, modified=at)
        row = campaign_row(log.world, campaign) if is_understood else {"campaign": campaign.name}
        log.fire(41, campaign_id, at, row)


def _under(campaign_id: int) -> Step:
    def prepare(_world: World, gift: Gift) -> None:
        put_under(gift, campaign_id, (BY_IDS, BY_SEGMENT)[gift.cents // 500 % 2])

    return prepare


SITUATIONS = (
    Situation("before_it_synced_again", BY_CAMPAIGN, 2, 0.0005, _under(HARVEST_DRIVE), nothing, MEANWHILE),
    Situation("since_it_syncs_again", "matched", 2, 0.001, _under(HARVEST_DRIVE), sync_gift, LATELY),
    Situation("while_it_still_synced", BY_CAMPAIGN, 2, 0.0002, _under(WINTER_BALL), nothing, MEANWHILE),
    Situation("since_it_synced_no_more", BY_CAMPAIGN, 2, 0.0005, _under(WINTER_BALL), nothing, LATELY),
    Situation("while_nobody_knows", BY_CAMPAIGN, 2, 0.0002, _under(RIVER_WATCH), nothing, SINCE_THE_LAST),
)
