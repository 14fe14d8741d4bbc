"""The delivery log: its words, and the envelopes of its payloads."""

from __future__ import annotations

import json

import pytest

from ingestion.sandbox import Options
from ingestion.sandbox.clock import DAY, START
from ingestion.sandbox.truth import Switches
from ingestion.sandbox.webhook_truth import unread_campaign_events
from ingestion.sandbox.world.envelopes import payload
from ingestion.sandbox.world.organization import HARVEST_DRIVE, RIVER_WATCH, WINTER_BALL
from ingestion.sandbox.world.simulation import Simulation

from .reading import record_of

HOUSE, VENDOR, DOTTED = 3, 1, 2
"""Seeds of worlds whose log speaks so."""


@pytest.mark.parametrize(
    ("seed", "labels"),
    [
        (HOUSE, {"10": "Gift Created", "11": "Gift Updated", "20": "Recurring Gift Created", "50": "Page Published"}),
        (
            VENDOR,
            {
                "10": "Donation Created",
                "11": "Donation Updated",
                "20": "Recurring Donation Created",
                "50": "Donation Form Created",
            },
        ),
        (
            DOTTED,
            {
                "10": "donation.created",
                "11": "donation.updated",
                "20": "created recurring_donation",
                "50": "donation_form.created",
            },
        ),
    ],
)
def test_each_world_has_its_words_and_they_mean_the_same(open_sandbox, seed, labels):
    told = open_sandbox(seed).control("truth")["event_types"]
    assert {kind: told[kind]["observed_label"] for kind in labels} == labels
    assert {told[kind]["status"] for kind in ("10", "11", "12", "20", "21", "22", "30", "41")} == {"confirmed"}
    assert told["50"]["status"] == ("contradicted" if seed == HOUSE else "confirmed")
    assert told["40"]["status"] == "contradicted"


def test_every_envelope_holds_the_record():
    bodies = [payload(10, count, START, {"id": 7, "amount": 1.5}) for count in range(8)]
    assert all(record_of(body, 7)["amount"] == 1.5 for body in bodies)
    shapes = {tuple(sorted(json.loads(body))) for body in bodies}
    assert ("data", "eventType", "timestamp") in shapes
    assert ("event", "gift") in shapes
    assert ("event",) in shapes
    assert json.loads(bodies[6])["event"] == "GiftCreate"
    assert isinstance(json.loads(bodies[7])["payload"], str)


def test_old_entries_of_the_log_tell_when_campaigns_were_switched():
    known = Switches(Simulation(1, "small").world)
    for campaign, was_syncing in ((HARVEST_DRIVE, False), (WINTER_BALL, True)):
        assert known.known_to_sync(campaign, START - 20 * DAY) is was_syncing
        assert known.known_to_sync(campaign, START - 9 * DAY) is not was_syncing
        assert not known.lies_unread(campaign, START - 20 * DAY)
    assert known.is_assumed(RIVER_WATCH, START - 15 * DAY)
    assert known.lies_unread(RIVER_WATCH, START - 15 * DAY)
    assert not known.lies_unread(RIVER_WATCH, START - 40 * DAY)


def test_what_nobody_may_read_lies_unread():
    world = Simulation(1, "small", Options(withholds_payloads=True)).world
    assert {campaign for campaign, _ in unread_campaign_events(world)} >= {HARVEST_DRIVE, WINTER_BALL, RIVER_WATCH}
    assert {campaign for campaign, _ in unread_campaign_events(Simulation(1, "small").world)} == {RIVER_WATCH}
