"""Recurring gifts: every situation of their reconciliation, planted on donors about whom nothing else is odd."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.sandbox.clock import DAY, HOUR, MINUTE, START

from .organization import ALWAYS_ON, GENERAL_PROJECT, HARVEST_DRIVE, PEER_FUNDRAISERS, RAISE_PROJECTS, segment_of
from .planting import LATE_AGE, MEANWHILE, NO_CONTACT, OLD, PENDING_AGE, Planting
from .records import (
    ACTIVE,
    AWAITING,
    BY_AGE,
    BY_IDS,
    BY_NAME,
    CANCELLED,
    COMPLETED,
    FAILING,
    PAUSED,
    CrmSchedule,
    Donor,
    Gift,
    Schedule,
)
from .state import World
from .sync import lag, transfer_schedule

Step = Callable[[World, Schedule], None]
MISSING_AGE = (80.0, 2_400.0)


@dataclass(frozen=True)
class Situation:
    """A named situation of a schedule."""

    name: str
    status: str
    minimum: int
    share: float
    build: Step
    age: tuple[float, float] = OLD


def _transfer(world: World, schedule: Schedule, *, key: bool = True) -> CrmSchedule:
    return transfer_schedule(world, schedule, min(world.now, schedule.created + lag(world)), key=key)


def _linked(world: World, schedule: Schedule) -> None:
    _transfer(world, schedule)


def _ended_on_both_sides(world: World, schedule: Schedule) -> None:
    end(schedule, CANCELLED if schedule.id % 2 else COMPLETED, min(world.now, schedule.created + 2 * DAY))
    cancel(_transfer(world, schedule), schedule.modified)


def _paused(world: World, schedule: Schedule) -> None:
    _transfer(world, schedule).status = "Paused"
    schedule.state = PAUSED


def _failing(world: World, schedule: Schedule) -> None:
    _transfer(world, schedule).status = "Failed"
    schedule.state, schedule.has_payment_failed = FAILING, True


def _unknown_state(world: World, schedule: Schedule) -> None:
    cancel(_transfer(world, schedule), schedule.created + DAY)
    schedule.state = AWAITING


def _unknown_frequency(world: World, schedule: Schedule) -> None:
    schedule.frequency = 100 if schedule.id % 2 else 0
    _transfer(world, schedule)


def _spelled_key(world: World, schedule: Schedule) -> None:
    row = _transfer(world, schedule)
    schedule.crm_key = (f" {row.id} ", f"+{row.id}", f"00{row.id}", f"{row.id}.0")[schedule.id % 4]


def _by_reference(world: World, schedule: Schedule) -> None:
    _transfer(world, schedule, key=False)


def _foreign_key(_world: World, schedule: Schedule) -> None:
    schedule.crm_key = f"sub_{schedule.id:x}"


def _dangling(_world: World, schedule: Schedule) -> None:
    schedule.crm_key = str(NO_CONTACT + schedule.id)


def _duplicate(world: World, schedule: Schedule) -> None:
    """A pair of live schedules shares one key: the second is made here, beside the first."""
    row = _transfer(world, schedule)
    twin = Schedule(
        schedule.id + 1,
        schedule.created,
        schedule.modified,
        schedule.donor_id,
        schedule.cents,
        schedule.frequency,
        schedule.situation,
        schedule.status,
        crm_key=str(row.id),
        campaign_id=schedule.campaign_id,
        segment_id=schedule.segment_id,
        project_id=schedule.project_id,
        crm_id=row.id,
    )
    world.add_schedule(twin)


def _ended_at_once(world: World, schedule: Schedule) -> None:
    end(schedule, CANCELLED, schedule.created + 3 * HOUR)


def _off(world: World, schedule: Schedule) -> None:
    schedule.campaign_id = PEER_FUNDRAISERS
    schedule.segment_id = segment_of(PEER_FUNDRAISERS, schedule.id)
    schedule.shown = BY_IDS if schedule.id % 2 else BY_NAME


def _before_it_synced_again(_world: World, schedule: Schedule) -> None:
    schedule.campaign_id, schedule.shown = HARVEST_DRIVE, BY_IDS
    schedule.segment_id = segment_of(HARVEST_DRIVE, schedule.id)


def _nothing(_world: World, _schedule: Schedule) -> None:
    pass


def _state_mismatch(world: World, schedule: Schedule) -> None:
    row = _transfer(world, schedule)
    if schedule.id % 2:
        end(schedule, CANCELLED, min(world.now, schedule.created + 30 * HOUR))
    else:
        cancel(row, min(world.now, row.created + 30 * HOUR))


def _amount_mismatch(world: World, schedule: Schedule) -> None:
    _transfer(world, schedule).cents += 500


def _frequency_mismatch(world: World, schedule: Schedule) -> None:
    row = _transfer(world, schedule)
    row.frequency = "Monthly" if row.frequency != "Monthly" else "Annually"


def _contact_mismatch(world: World, schedule: Schedule) -> None:
    _transfer(world, schedule).contact_id = world.new_contact().id


def _test(_world: World, schedule: Schedule) -> None:
    schedule.is_test = True


SITUATIONS = (
    Situation("ended_on_both_sides", "linked", 4, 0.12, _ended_on_both_sides),
    Situation("paused", "linked", 2, 0.02, _paused),
    Situation("failing", "linked", 2, 0.02, _failing),
    Situation("unknown_state", "linked", 1, 0.001, _unknown_state),
    Situation("unknown_frequency", "linked", 2, 0.01, _unknown_frequency),
    Situation("spelled_key", "linked", 2, 0.004, _spelled_key),
    Situation("linked_by_reference", "linked_by_reference", 2, 0.01, _by_reference),
    Situation("foreign_key", "foreign_key", 2, 0.004, _foreign_key),
    Situation("dangling", "dangling", 2, 0.002, _dangling),
    Situation("duplicate", "duplicate", 1, 0.001, _duplicate),
    Situation("ended_at_once", "not_expected", 2, 0.006, _ended_at_once),
    Situation("campaign_off", "sync_disabled", 2, 0.01, _off),
    Situation("before_it_synced_again", "sync_disabled", 1, 0.001, _before_it_synced_again, MEANWHILE),
    Situation("pending", BY_AGE, 2, 0.0005, _nothing, PENDING_AGE),
    Situation("late", BY_AGE, 2, 0.0005, _nothing, LATE_AGE),
    Situation("missing", BY_AGE, 2, 0.002, _nothing, MISSING_AGE),
    Situation("state_mismatch", "state_mismatch", 2, 0.004, _state_mismatch),
    Situation("amount_mismatch", "amount_mismatch", 2, 0.002, _amount_mismatch),
    Situation("frequency_mismatch", "frequency_mismatch", 2, 0.002, _frequency_mismatch),
    Situation("contact_mismatch", "contact_mismatch", 2, 0.002, _contact_mismatch),
    Situation("test_schedule", "test_mode", 2, 0.004, _test),
)
"""Every situation but the ordinary one, `linked`."""

_LINKED = Situation("linked", "linked", 0, 0.0, _linked)


def end(schedule: Schedule, state: int, at: int) -> None:
    """A schedule ends in Raise."""
    schedule.state = state
    schedule.modified = at - at % 1000


def cancel(row: CrmSchedule, at: int) -> None:
    """A schedule ends in CRM+."""
    row.cancelled = row.modified = at
    row.status = "Cancelled"


def plant_schedules(plant: Planting) -> None:
    """Create all schedules of the scale, oldest first."""
    world = plant.world
    draw = world.random.random
    wanted = [
        situation
        for situation in SITUATIONS
        for _ in range(max(situation.minimum, round(situation.share * world.scale.schedules)))
    ]
    wanted += [_LINKED] * max(0, world.scale.schedules - len(wanted) - len(plant.schedules))
    donors = world.random.sample(plant.plain, min(len(wanted), len(plant.plain)))
    drafts: list[tuple[Schedule, Situation | None]] = [(schedule, None) for schedule in plant.schedules]
    for situation, donor in zip(wanted, donors, strict=False):
        low, high = situation.age
        created = START - int((low + draw() * (high - low)) * HOUR)
        schedule = new_schedule(world, donor, max(created, donor.created) if situation.age == OLD else created)
        schedule.situation, schedule.status = situation.name, situation.status
        drafts.append((schedule, situation))
    drafts.sort(key=lambda draft: draft[0].created)
    for schedule, planted in drafts:
        schedule.id = world.next_id("schedule")
        world.next_id("schedule")  # the next id may become its twin's
        if planted is not None:
            status = schedule.status
            planted.build(world, schedule)
            schedule.status = status
        world.add_schedule(schedule)
    _plant_orphans(world)


def new_schedule(world: World, donor: Donor, created: int) -> Schedule:
    """A schedule as most are. It has no id yet."""
    draw = world.random.random
    created -= created % 1000
    frequency = (12, 12, 12, 12, 12, 4, 1, 52, 26, 2)[int(draw() * 10)]
    schedule = Schedule(0, created, created, donor.id, 500 * (2 + int(draw() * 20)), frequency)
    schedule.campaign_id = ALWAYS_ON[int(draw() * len(ALWAYS_ON))]
    schedule.segment_id = segment_of(schedule.campaign_id, int(draw() * 2))
    schedule.shown = BY_IDS if draw() < 0.8 else BY_NAME
    schedule.project_id = RAISE_PROJECTS[int(draw() * len(RAISE_PROJECTS))]
    return schedule


def attach_payments(world: World, gifts: list[Gift]) -> None:
    """Let a good part of the ordinary gifts of a donor with a schedule be its payments."""
    by_donor: dict[int, Schedule] = {}
    for schedule in world.schedules:
        if schedule.state in (ACTIVE, FAILING) and not schedule.is_test:
            by_donor[schedule.donor_id] = schedule
    for gift in gifts:
        found = by_donor.get(gift.donor_id)
        if found is not None and gift.created >= found.created + MINUTE and not gift.is_test:
            gift.recurring_id = found.id


def _plant_orphans(world: World) -> None:
    """CRM+ schedules that name Raise schedules which never were, and some that Raise has nothing to do with."""
    for number in range(max(2, world.scale.schedules // 400)):
        row = _stranger(world)
        row.source, row.transaction_id = world.reference_source(), str(1_001 + number)
        row.situation = "orphan"
    for _ in range(world.scale.schedules // 8):
        _stranger(world)


def _stranger(world: World) -> CrmSchedule:
    created = START - int(world.random.random() * 900 * DAY) - 5 * DAY
    row = CrmSchedule(world.next_id("crm_schedule"), created, created, world.new_contact().id, 3_000, "Monthly")
    row.project_id = GENERAL_PROJECT
    world.crm_schedules.add(row)
    return row
