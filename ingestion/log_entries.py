"""What the entries of a log tell only when each is asked for by itself: the payloads of webhook deliveries.

Each costs a request, so a run asks for a limited number, the newest first, and later runs go on with what is left.
What came of it stands in `outcome`, so that nothing is asked for ever: `read`; `withheld` (the entry came without its
payload); `absent` (404, no longer retained); `refused` (403) and `failed` (anything else), which are tried again in
later runs, three times in all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import orjson
import pyarrow as pa

from ingestion.errors import PermissionRefused, ResourceAbsent, SourceError
from ingestion.exact_numbers import exact
from ingestion.pages import Page
from ingestion.workbench import Workbench

PAYLOAD = "payLoad"
READ, WITHHELD, ABSENT, REFUSED, FAILED = "read", "withheld", "absent", "refused", "failed"

_MOST_ATTEMPTS = 3
_MOST_FAILED_IN_A_ROW = 3
# A log that refuses one entry refuses all; one that no longer has so many has none that are older.
_ENOUGH = {REFUSED: 1, ABSENT: 5}


@dataclass(frozen=True)
class LogEntry:
    """An entry of a log (of a webhook), and how often it was asked for in vain."""

    id: int
    log: int
    attempts: int = 0


class Waiting:
    """The entries to ask for, as many as a run may, and the account of what came of it.

    `brought` are entries that this run has read and that may not be in the warehouse yet.
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
        self._most = most
        self._outcomes: Counter[str] = Counter()
        self._in_vain: Counter[tuple[int, str]] = Counter()
        self._failed_in_a_row = 0
        self._entries = _waiting(brought, bench, log, told, organization, most)

    def __iter__(self) -> Iterator[LogEntry]:
        open_ones = (entry for entry in self._entries if not self._is_closed(entry.log) and not self.is_broken)
        return islice(open_ones, self._most)

    @property
    def is_broken(self) -> bool:
        """Whether asking on is pointless for now."""
        return self._failed_in_a_row >= _MOST_FAILED_IN_A_ROW

    @property
    def account(self) -> str:
        """What came of it, in words."""
        outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self._outcomes.items()))
        return f"single entries, newest first: {outcomes or 'none'}"

    def note(self, entry: LogEntry, outcome: str) -> None:
        """Takes down what came of asking for an entry."""
        self._outcomes[outcome] += 1
        self._failed_in_a_row = self._failed_in_a_row + 1 if outcome == FAILED else 0
        if outcome == READ:
            self._in_vain[entry.log, ABSENT] = 0
        elif outcome in _ENOUGH:
            self._in_vain[entry.log, outcome] += 1

    def _is_closed(self, log: int) -> bool:
        return any(self._in_vain[log, outcome] >= enough for outcome, enough in _ENOUGH.items())


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


def _waiting(
    brought: Sequence[LogEntry], bench: Workbench, log: str, told: str, organization: str, most: int
) -> list[LogEntry]:
    """The entries to ask for: first those that were never asked for, the newest first.

    Of each log no more than a run may ask for, so that one that refuses does not hide the others.
    """
    ids, logs = [entry.id for entry in brought], [entry.log for entry in brought]
    with bench.connection() as connection:
        connection.register("brought", pa.table({"id": pa.array(ids, pa.int64()), "log": pa.array(logs, pa.int64())}))
        connection.execute("create temp table asked (id bigint, outcome varchar, attempts bigint)")
        logged = "select null, null where $1 is null"
        if bench.has(log):
            logged = f"select id, webhook_id from {bench.name_of(log)} where organization = $1"
        if bench.has(told):
            connection.execute(
                f"insert into asked select id, outcome, attempts from {bench.name_of(told)} where organization = $1",
                [organization],
            )
        found = connection.execute(
            f"""
            with entries as (
                select id, log from brought union {logged}
            ),
            waiting as (
                select id, log, coalesce(attempts, 0) as attempts
                from entries left join asked using (id)
                where log is not null and (outcome is null or (outcome in ($2, $3) and attempts < $4))
            )
            select unnest(max(id, {max(most, 1)})) as id, log, attempts from waiting group by log, attempts
            order by attempts, id desc
            """,
            [organization, REFUSED, FAILED, _MOST_ATTEMPTS],
        ).fetchall()
    return [LogEntry(*row) for row in found]
