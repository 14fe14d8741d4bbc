"""What the entries of a log tell only when each is asked for by itself: the payloads of webhook deliveries.

Each costs a request, so a run asks for a limited number and later runs go on with what is left. Entries about campaigns
come first and outside that number: their payloads say which gifts were not meant to sync. A fifth of the number goes to
the oldest entries, the rest to the newest. What came of it is kept in `outcome`, so that nothing is asked for ever:
`read`; `withheld` (the entry came without its payload); `absent` (404, no longer retained); `refused` (403) and
`failed` (anything else), which are tried again in later runs, three times in all; `erased` (see erasure.py).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import orjson
import pyarrow as pa

from ingestion.errors import PermissionRefused, ResourceAbsent, SourceError
from ingestion.exact_numbers import exact
from ingestion.pages import Page
from ingestion.workbench import Workbench

PAYLOAD = "payLoad"
READ, WITHHELD, ABSENT, REFUSED, FAILED = "read", "withheld", "absent", "refused", "failed"
ERASED = "erased"

_MOST_ATTEMPTS = 3
_MOST_FAILED_IN_A_ROW = 3
# A log that no longer has so many in a row has none that are older.
_MANY_ABSENT = 5
# So many entries about campaigns take half an hour at the pace that Raise advises.
_MOST_OF_CAMPAIGNS = 2_000
_SHARE_OF_THE_OLDEST = 5
# Of old entries beyond that share, so many spread evenly: where to go on when the oldest are no longer retained.
_WAYMARKS = 1_000

_CAMPAIGN_FAMILY = 4
_OF_CAMPAIGN = (
    f"coalesce(event_type // 10 = {_CAMPAIGN_FAMILY}, false) or coalesce(event_type_display ilike '%campaign%', false)"
)


def is_about_campaign(event_type: int | None, label: str | None) -> bool:
    """Whether an entry is about a campaign, by the tens of its event type or by what the log calls it."""
    return (event_type is not None and event_type // 10 == _CAMPAIGN_FAMILY) or "campaign" in (label or "").lower()


@dataclass(frozen=True)
class LogEntry:
    """An entry of a log (of a webhook), and how often it was asked for in vain."""

    id: int
    log: int
    attempts: int = 0
    is_of_campaign: bool = False


@dataclass(frozen=True)
class _Queues:
    """The entries that wait: those about campaigns, and of the others the newest and the oldest, these oldest first."""

    of_campaigns: Sequence[LogEntry]
    newest: Sequence[LogEntry]
    oldest: Sequence[LogEntry]


class Waiting:
    """The entries to ask for, as many as a run may, and the account of what came of it.

    `brought` are entries that this run has read and that may not be in the warehouse yet. `most` is how many a run may
    ask for, those about campaigns apart.
    """

    def __init__(
        self,
        brought: Sequence[LogEntry],
        *,
        bench: Workbench,
        log: str,
        told: str,
        organization: str,
        most: int,
    ) -> None:
        self.stopped_by: SourceError | None = None
        self.is_broken = False
        """Whether asking on was pointless: entry after entry failed."""

        self._most = most
        self._outcomes: Counter[str] = Counter()
        self._closed: set[int] = set()
        self._absent_in_a_row: Counter[int] = Counter()
        self._failed_in_a_row = 0
        self._asked: set[int] = set()
        self._queues = _queues(brought, bench, log, told, organization, most)

    def __iter__(self) -> Iterator[LogEntry]:
        yield from self._until_broken(self._of_campaigns())
        # What became of those is no sign of the others: they are of any age.
        self._absent_in_a_row.clear()
        self._failed_in_a_row = 0
        share = self._most // _SHARE_OF_THE_OLDEST
        newest, oldest = islice(self._newest(), self._most - share), islice(self._oldest(), share)
        yield from self._until_broken(chain(newest, oldest))

    @property
    def account(self) -> str:
        """What came of it, in words."""
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._outcomes.items()))
        return f"single entries, those about campaigns first: {outcomes or 'none'}"

    def note(self, entry: LogEntry, outcome: str) -> None:
        """Takes down what came of asking for an entry."""
        self._outcomes[outcome] += 1
        self._failed_in_a_row = self._failed_in_a_row + 1 if outcome == FAILED else 0
        self.is_broken |= self._failed_in_a_row >= _MOST_FAILED_IN_A_ROW
        if outcome == READ:
            self._absent_in_a_row[entry.log] = 0
        elif outcome == ABSENT:
            self._absent_in_a_row[entry.log] += 1
        elif outcome == REFUSED:
            # A log that refuses one entry refuses all.
            self._closed.add(entry.log)

    def _until_broken(self, entries: Iterator[LogEntry]) -> Iterator[LogEntry]:
        for entry in entries:
            self._asked.add(entry.id)
            yield entry
            if self._failed_in_a_row >= _MOST_FAILED_IN_A_ROW:
                return

    def _may_be_asked(self, entry: LogEntry) -> bool:
        return entry.log not in self._closed and entry.id not in self._asked

    def _of_campaigns(self) -> Iterator[LogEntry]:
        return filter(self._may_be_asked, self._queues.of_campaigns)

    def _newest(self) -> Iterator[LogEntry]:
        for entry in filter(self._may_be_asked, self._queues.newest):
            yield entry
            if self._absent_in_a_row[entry.log] >= _MANY_ABSENT:
                self._closed.add(entry.log)

    def _oldest(self) -> Iterator[LogEntry]:
        """The oldest; where the log no longer retains them, the middle of the rest is tried."""
        place, entries = 0, self._queues.oldest
        while place < len(entries):
            entry = entries[place]
            place += 1
            if not self._may_be_asked(entry):
                continue
            yield entry
            if self._absent_in_a_row[entry.log] >= _MANY_ABSENT:
                self._absent_in_a_row[entry.log] = 0
                place += (len(entries) - place) // 2


def answered(ask: Callable[[LogEntry], str], waiting: Waiting, rows: str, listed: Collection[str]) -> Iterator[Page]:
    """Asks for one entry after the other; a page for each, whatever came of it, with its row under `rows`.

    `listed` are the fields that the log's list tells too. An error that concerns the whole source ends it and stands in
    `waiting.stopped_by`: what came before is kept.
    """
    for entry in waiting:
        told: dict[str, Any] = {}
        try:
            told = _told(ask(entry))
            outcome = READ if PAYLOAD in told else WITHHELD
        except PermissionRefused:
            outcome = REFUSED
        except ResourceAbsent:
            outcome = ABSENT
        except SourceError as error:
            if error.stops_source:
                waiting.stopped_by = error
                return
            outcome = FAILED
        except ValueError:
            outcome = FAILED
        waiting.note(entry, outcome)
        others = {name: value for name, value in told.items() if name not in listed}
        row = {
            "id": entry.id,
            "webhookId": entry.log,
            "outcome": outcome,
            "attempts": entry.attempts + 1,
            PAYLOAD: _text(told.get(PAYLOAD)),
        }
        yield Page(_json({rows: [others | row]}), (entry.id,), None)


def _told(body: str) -> dict[str, Any]:
    answer = json.loads(exact(body), strict=False)
    if not isinstance(answer, dict):
        raise ValueError("no log entry")
    # The spelling that is documented looks like a slip, which may be mended any day.
    return {PAYLOAD if name.casefold() == PAYLOAD.casefold() else name: value for name, value in answer.items()}


def _text(payload: object) -> str | None:
    """The payload as text, whatever it is. Halves of a character, which no text can hold, are kept as escapes."""
    if payload is None:
        return None
    text = payload if isinstance(payload, str) else json.dumps(payload, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace").decode()


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def _queues(
    brought: Sequence[LogEntry], bench: Workbench, log: str, told: str, organization: str, most: int
) -> _Queues:
    """The entries to ask for: those that were never asked for come first.

    Of each log no more than a run may ask for, so that one that refuses does not hide the others.
    """
    given = {
        "id": pa.array([entry.id for entry in brought], pa.int64()),
        "log": pa.array([entry.log for entry in brought], pa.int64()),
        "is_of_campaign": pa.array([entry.is_of_campaign for entry in brought], pa.bool_()),
    }
    with bench.connection() as connection:
        connection.register("brought", pa.table(given))
        connection.execute("create temp table asked (id bigint, outcome varchar, attempts bigint)")
        logged = "select null, null, null where $1 is null"
        if bench.has(log):
            logged = f"select id, webhook_id, {_OF_CAMPAIGN} from {bench.name_of(log)} where organization = $1"
        if bench.has(told):
            connection.execute(
                f"insert into asked select id, outcome, attempts from {bench.name_of(told)} where organization = $1",
                [organization],
            )
        connection.execute(
            f"""
            create temp table waiting as
            with entries as (
                select id, log, is_of_campaign from brought union {logged}
            ),
            absent as (
                select log, list(id order by id desc)[{_MANY_ABSENT}] as id
                from entries inner join asked using (id)
                where outcome = '{ABSENT}' group by log
            )
            select
                id, log, coalesce(attempts, 0) as attempts, is_of_campaign, coalesce(id < absent.id, false) as is_past
            from entries left join asked using (id) left join absent using (log)
            where log is not null and (outcome is null or (outcome in ('{REFUSED}', '{FAILED}') and attempts < $2))
            """,
            [organization, _MOST_ATTEMPTS],
        )
        return _Queues(
            *(
                [LogEntry(*row) for row in connection.execute(query).fetchall()]
                for query in (
                    f"""
                    select * exclude (is_past) from waiting where is_of_campaign
                    order by attempts, id desc limit {_MOST_OF_CAMPAIGNS}
                    """,
                    f"""
                    select unnest(max(id, {max(most, 1)})) as id, log, attempts from waiting where not is_of_campaign
                    group by log, attempts order by attempts, id desc
                    """,
                    f"""
                    select id, log, attempts from (
                        select *, row_number() over (order by id) as place, count(*) over () as others
                        from waiting where not (is_of_campaign or is_past)
                    )
                    where place <= {most} or place % (others // {_WAYMARKS} + 1) = 0
                    order by id
                    """,
                )
            )
        )
