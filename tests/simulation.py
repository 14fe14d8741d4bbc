"""Hourly runs of a large organization for a week, by what they ask of Raise: `make simulation`.

Raise is simulated in memory with rows that are hardly more than their ids. It notes when each row was last served.
"""

from __future__ import annotations

import tempfile
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from random import Random
from typing import Annotated

import httpx
import orjson
import typer
from pydantic import SecretStr
from rich.console import Console
from rich.table import Table

from ingestion import plan
from ingestion.http import Patience
from ingestion.reading import Reading
from ingestion.settings import Organization, Settings
from ingestion.virtuous_raise.client import ROWS, RaiseClient
from ingestion.virtuous_raise.resources import DONORS, GIFTS, WEBHOOK_LOGS
from tests.clocks import LeapingClock
from tests.plain_warehouse import PlainWarehouse

START = datetime(2026, 3, 2, tzinfo=UTC)
HISTORY = timedelta(days=3 * 365)
RESOURCES = (WEBHOOK_LOGS, DONORS, GIFTS)
PATHS = {"Webhook": WEBHOOK_LOGS, "Donor": DONORS, "Gift": GIFTS}
Row = dict[str, object]


@dataclass
class Collection:
    """Rows in the order of their ids."""

    ids: list[int] = field(default_factory=list)
    rows: dict[int, Row] = field(default_factory=dict)
    served: dict[int, datetime] = field(default_factory=dict)

    def add(self, created: datetime, **values: object) -> int:
        key = self.ids[-1] + 2 if self.ids else 100
        self.ids.append(key)
        self.rows[key] = {"id": key, "createdDate": created.isoformat(), **values}
        return key

    def remove(self, key: int) -> None:
        del self.ids[bisect_left(self.ids, key)], self.rows[key]
        self.served.pop(key, None)

    def pick(self, chance: Random, since: float = 0.0) -> int:
        """One of the rows, of the newest ones if `since` is near 1."""
        return self.ids[int(len(self.ids) * (since + (1 - since) * chance.random()))]


class Raise:
    """An organization's Raise, to which things happen hour by hour."""

    def __init__(self, gifts: int, donors: int, per_page: int, seed: int = 1) -> None:
        self.now = START
        self.requests: Counter[str] = Counter()
        self.per_page = per_page
        self.of = {WEBHOOK_LOGS.name: Collection(), DONORS.name: Collection(), GIFTS.name: Collection()}
        self.chance = Random(seed)
        self.told: dict[int, datetime] = {}
        """Refunds of gifts that are years old: when; the delivery log tells of them."""
        self.untold: dict[int, datetime] = {}
        """Chargebacks of gifts of the last weeks, of which nothing tells."""
        for name, count in ((DONORS.name, donors), (GIFTS.name, gifts)):
            for number in range(count):
                self.of[name].add(START - HISTORY * (1 - number / count), statusText="Approved")
        self._event(10, self.of[GIFTS.name].ids[-1])

    @property
    def least(self) -> int:
        """The pages that the rows fill, and one request per resource."""
        return sum(ceil(len(collection.ids) / self.per_page) + 1 for collection in self.of.values())

    def pass_an_hour(self) -> None:
        """What an ordinary hour brings: a thousandth of the donors edited a day, new gifts, few that turn or vanish."""
        self.now += timedelta(hours=1)
        gifts, donors, chance = self.of[GIFTS.name], self.of[DONORS.name], self.chance
        for _ in range(self._about(len(gifts.ids) / HISTORY.days / 24)):
            self._event(10, gifts.add(self.now, statusText="Approved"))
        for _ in range(self._about(len(donors.ids) / HISTORY.days / 24)):
            self._event(30, donors.add(self.now))
        for _ in range(self._about(len(donors.ids) / 1000 / 24)):
            key = donors.pick(chance)
            donors.rows[key]["modifiedDate"] = self.now.isoformat()
            self._event(31, key)
        for _ in range(self._about(0.5)):
            self._turn(gifts.pick(chance) if chance.random() < 0.5 else gifts.ids[0], told=True)
            self._turn(gifts.pick(chance, since=0.97), told=False)
        for collection in (gifts, donors):
            for _ in range(self._about(0.2)):
                key = collection.pick(chance)
                collection.remove(key)
                self.told.pop(key, None)
                self.untold.pop(key, None)

    def answer(self, request: httpx.Request) -> httpx.Response:
        parts = request.url.path.split("/")
        name = PATHS[parts[2]].name
        self.requests[name] += 1
        collection = self.of[name]
        if parts[-1] != "list":
            key = int(parts[-1])
            if key not in collection.rows:
                return httpx.Response(404)
            collection.served[key] = self.now
            return httpx.Response(200, content=orjson.dumps(collection.rows[key]))
        asked = request.url.params
        skip, take = int(asked["Skip"]), min(int(asked["Take"]), self.per_page)
        end = len(collection.ids) - skip
        wanted = (
            collection.ids[max(end - take, 0) : max(end, 0)][::-1]
            if asked.get("Descending") == "true"
            else collection.ids[skip : skip + take]
        )
        collection.served.update(dict.fromkeys(wanted, self.now))
        body = orjson.dumps({"items": [collection.rows[key] for key in wanted], "total": len(collection.ids)})
        return httpx.Response(200, content=body)

    def _turn(self, key: int, *, told: bool) -> None:
        gift = self.of[GIFTS.name].rows[key]
        if gift["statusText"] == "Approved":
            gift["statusText"] = "Refunded" if told else "ChargeBack"
            (self.told if told else self.untold)[key] = self.now
            if told:
                self._event(11, key)

    def _event(self, kind: int, key: int) -> None:
        self.of[WEBHOOK_LOGS.name].add(self.now, eventType=kind, contextId=str(key), webhookId=31)

    def _about(self, mean: float) -> int:
        whole = int(mean)
        return whole + (self.chance.random() < mean - whole)


@dataclass
class Simulated:
    """What came of it."""

    full: int
    """Requests of the first, full reading."""
    least: int
    """The pages that the rows fill, and one request per resource."""
    runs: list[Counter[str]] = field(default_factory=list)
    oldest: datetime = START
    """No row was last served before this."""
    late: dict[str, list[timedelta]] = field(default_factory=dict)
    """How long it took until the warehouse knew of a gift that turned late; those alone that had time enough."""
    unknown: int = 0
    """Gifts that turned a day and more ago, and of which the warehouse does not know."""
    differ: int = 0
    """Rows that the warehouse holds and Raise does not have, or the other way."""

    @property
    def costs(self) -> list[int]:
        return [sum(run.values()) for run in self.runs]

    @property
    def dearest(self) -> float:
        """The requests of the dearest hourly run, as a share of those of a full reading."""
        return max(self.costs) / self.full


def simulate(folder: Path, *, gifts: int, donors: int, per_page: int, hours: int) -> Simulated:
    """Reads everything, then lets so many hours pass and runs after each."""
    api, warehouse = Raise(gifts, donors, per_page), PlainWarehouse(folder / "warehouse.duckdb", *RESOURCES)
    run(api, warehouse)
    simulated = Simulated(api.requests.total(), api.least)
    known: dict[int, datetime] = {}
    for _ in range(hours):
        api.pass_an_hour()
        before = api.requests.copy()
        run(api, warehouse)
        simulated.runs.append(api.requests - before)
        turned = warehouse.query("select id from raw.gifts where status_text <> 'Approved'")
        known |= {key: api.now for (key,) in turned if key not in known}
    for name, turns in (("told by the log", api.told), ("untold", api.untold)):
        simulated.late[name] = [known[key] - at for key, at in turns.items() if key in known]
        old = [key for key, at in turns.items() if api.now - at > timedelta(days=1)]
        simulated.unknown += sum(1 for key in old if key not in known)
    for resource in (DONORS, GIFTS):
        collection = api.of[resource.name]
        simulated.oldest = min(simulated.oldest if simulated.oldest > START else api.now, *collection.served.values())
        held = {key for (key,) in warehouse.query(f"select id from raw.{resource.name} where _deleted_at is null")}
        simulated.differ += len(held ^ set(collection.ids))
    return simulated


def run(api: Raise, warehouse: PlainWarehouse) -> None:
    """One run, without pace."""
    token = SecretStr("token")
    organization = Organization(slug="riverside", raise_api_token=token, raise_requests_per_second=0)
    client = RaiseClient(organization, Patience(clock=LeapingClock()))
    client.http.close()
    client.http._http = httpx.Client(transport=httpx.MockTransport(api.answer), base_url="https://raise.example.org")
    settings = Settings(warehouse_path=warehouse.path, tieout_now=api.now, _env_file=None)  # type: ignore[call-arg]
    reading = Reading(
        source="raise",
        dataset="raw",
        organization="riverside",
        time_zone="UTC",
        settings=settings,
        run_id=f"run {api.now}",
        client=client,
        rows_name=ROWS,
        resources=RESOURCES,
    )
    while reading.begin_package():
        warehouse.load(reading)
    reading.close()
    incomplete = [outcome for outcome in reading.outcomes.values() if not outcome.is_complete]
    assert not incomplete, incomplete


@contextmanager
def scaled(by: int) -> Iterator[None]:
    """Plans for collections that are smaller by a factor than those that are meant."""
    names = ("_SMALL", "_WHOLE_PER_DAY")
    before = {name: getattr(plan, name) for name in names}
    for name in names:
        setattr(plan, name, before[name] // by)
    try:
        yield
    finally:
        for name in names:
            setattr(plan, name, before[name])


def show(simulated: Simulated, console: Console) -> None:
    ratio = simulated.full / simulated.least
    console.print(f"full reading: {simulated.full:,} requests, {ratio:.4f} x the least ({simulated.least:,})")
    table = Table("day", "runs", "requests: mean", "least", "most", "share of a full reading: mean", "most")
    for day in range(0, len(simulated.costs), 24):
        costs = simulated.costs[day : day + 24]
        mean = sum(costs) / len(costs)
        table.add_row(
            str(day // 24 + 1),
            str(len(costs)),
            f"{mean:.1f}",
            str(min(costs)),
            str(max(costs)),
            f"{mean / simulated.full:.2%}",
            f"{max(costs) / simulated.full:.2%}",
        )
    console.print(table)
    days = len(simulated.costs) / 24
    unread = START + timedelta(days=days) - simulated.oldest
    console.print(f"after {days:g} days no row is unread for longer than {unread / timedelta(days=1):.2f} days")
    for name, late in simulated.late.items():
        if late:
            console.print(
                f"gifts that turned late, {name}: {len(late)} found, on average after"
                f" {sum(late, timedelta()) / len(late) / timedelta(hours=1):.1f} h, at the most after"
                f" {max(late) / timedelta(hours=1):.1f} h"
            )
    console.print(f"turned a day and more ago and not found: {simulated.unknown}; rows that differ: {simulated.differ}")


def main(
    gifts: Annotated[int, typer.Option()] = 1_000_000,
    donors: Annotated[int, typer.Option()] = 300_000,
    per_page: Annotated[int, typer.Option(help="What the server gives at the most.")] = 500,
    hours: Annotated[int, typer.Option()] = 7 * 24,
    scale: Annotated[int, typer.Option(help="Everything smaller by this factor, the pages too.")] = 1,
) -> None:
    """Simulate."""
    with tempfile.TemporaryDirectory() as folder, scaled(scale):
        simulated = simulate(
            Path(folder), gifts=gifts // scale, donors=donors // scale, per_page=per_page // scale, hours=hours
        )
    show(simulated, Console(width=120))


if __name__ == "__main__":
    typer.run(main)
