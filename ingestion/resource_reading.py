"""The reading of one resource: carries out its plan page by page, and keeps account of it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, Protocol

import pyarrow as pa

from ingestion.columns import Resource
from ingestion.coverage import NEVER, Coverage, Range
from ingestion.errors import ClockWrong, ReadingFailed, SourceError, TieoutError
from ingestion.http import ReadClient
from ingestion.log_entries import LogEntry, Waiting, is_about_campaign
from ingestion.pages import BEGINNING, KnownHole, Page, Position, known_hole, prefetched
from ingestion.plan import Mode, Plan, ReadProgress, plan
from ingestion.rows import RowReader
from ingestion.settings import Settings
from ingestion.tenants import Foreign, Held

_log = logging.getLogger(__name__)

_BYTES_PER_BATCH = 24_000_000
_PAGES_AHEAD = 16
_MOST_DELETED = 0.2
# CRM+ filters by a day, in a zone that is not documented.
_OVERLAP = timedelta(days=2)
_MOST_SINGLES = 100
# Ages are told in hours; an API whose own clock is a few minutes off keeps nobody from being read.
_MOST_SKEW = timedelta(hours=1)
_ALWAYS = datetime.max.replace(tzinfo=UTC)
# So many rows in which a field does not come prove that it vanished; of a smaller collection, all of them.
_ROWS_THAT_TELL = 1_000


class Client(Protocol):
    """What a product's client offers to a reading."""

    http: ReadClient

    def pages(self, resource: Any, start: Position = BEGINNING, known: Iterable[KnownHole] = ()) -> Iterator[Page]: ...

    def changes(self, resource: Any, since: datetime) -> Iterator[Page] | None: ...

    def singles(self, resource: Any, keys: Iterable[int], known: Collection[int] = ()) -> Iterator[Page]: ...

    def entries(self, resource: Any, waiting: Waiting) -> Iterator[Page]: ...

    def count(self, resource: Any) -> int | None: ...

    def foreign(self, held: Held) -> Foreign | None: ...

    def close(self) -> None: ...


@dataclass
class Outcome:
    """How the reading of one resource went; becomes its row in `load_audit`."""

    resource: str
    started_at: datetime
    mode: str = Mode.FULL.value
    mode_reason: str = ""
    finished_at: datetime | None = None
    is_complete: bool = False
    rows_read: int = 0
    api_total: int | None = None
    rows_new: int = 0
    rows_changed: int = 0
    rows_deleted: int = 0
    rows_quarantined: int = 0
    requests: int = 0
    retries: int = 0
    throttled_seconds: float = 0.0
    watermark: str | None = None
    error: str | None = None
    seconds: float = 0.0
    is_withheld: bool = False
    """The product does not give this resource, and gives others: that fails no run."""

    unread_since: datetime | None = None
    """No row went unread since before this; None where that is no promise, or nothing was read to the end yet."""


class ResourceReading:
    """One resource, read as its plan says. `tables` may be called again and again: it goes on where it stopped."""

    def __init__(
        self,
        resource: Resource,
        client: Client,
        rows: RowReader,
        progress: ReadProgress,
        *,
        settings: Settings,
        stale_after: timedelta,
        how_to_accept: str,
        full: bool = False,
        accepts_deletions: bool = False,
        hints: Iterable[int] = (),
        quarantined: Mapping[str, datetime] | None = None,
        rounded: Collection[str] = (),
        waiting: Waiting | None = None,
        refused: SourceError | None = None,
    ) -> None:
        self.resource = resource
        self.rows = rows
        # Also when this reading comes to nothing, the next one knows what is due.
        self.progress = replace(progress, due=tuple(dict.fromkeys((*hints, *progress.due))))
        self.is_finished = False
        self.stopped_by: SourceError | None = refused
        self.events: dict[int, dict[int, None]] = {}
        self.entries: list[LogEntry] = []
        """Entries of a log that this reading brought: those about campaigns, and the newest others of each log, as many
        as a run may ask for."""
        self.outcome = Outcome(resource.name, rows.extracted_at)
        self._client = client
        self._settings = settings
        self._stale_after = stale_after
        self._full = full or accepts_deletions
        self._accepts_deletions = accepts_deletions
        self._how_to_accept = how_to_accept
        self._waiting = waiting
        self._noted: Counter[int] = Counter()
        self._fields_before = progress.fields
        self._quarantined = quarantined or {}
        # What is only rounded would come again as it is.
        asked_again = self._quarantined.keys() - set(rounded)
        self._quarantined_keys = frozenset(int(name) for name in asked_again if name.isdecimal())
        self._watched = {*self.progress.due, *self._quarantined_keys}
        self._met: set[int] = set()
        self._reread: list[Range] = []
        self._gaps: list[tuple[int | None, int | None]] = []
        self._hidden: set[int] = set()
        # What was seen before this instant and not since was looked for.
        self._swept_since = NEVER
        self._sliced = 0
        self._last: list[Page] = []
        self._began = monotonic()
        self._usage = client.http.usage.copy()
        self._steps = self._run()

    def close(self) -> None:
        """Stops fetching."""
        self._steps.close()
        self.rows.close()

    def has_retried(self, record_id: str) -> bool:
        """Whether what stands in quarantine under this name was asked for again."""
        return self._has_reread(record_id) or (self.outcome.is_complete and self._has_swept(record_id))

    def _has_swept(self, record_id: str) -> bool:
        """Whether everything was read since it was last seen."""
        return self._quarantined[record_id] < self._swept_since

    def _has_reread(self, record_id: str) -> bool:
        if record_id.isdecimal():
            return int(record_id) in self._met
        try:
            low = known_hole(record_id).key
        except ValueError:
            return False
        return any(part.low == low or (low is not None and part.holds(low)) for part in self._reread)

    def drift(self) -> Iterator[tuple[str, str, str | None]]:
        """The fields that are not declared, no longer come or come as another type: name, kind, types of JSON."""
        before, now = self._fields_before, self.rows.types
        for name in sorted(self.rows.new_fields):
            yield name, "new_field", _named(now[name])
        if self.is_finished and self.rows.rows_read >= min(_ROWS_THAT_TELL, max(self.outcome.api_total or 0, 1)):
            for name in sorted(before.keys() - now.keys() - self.resource.optional):
                yield name, "vanished_field", _named(before[name])
        for name in sorted(before.keys() & now.keys()):
            if before[name] and now[name] - set(before[name]):
                yield name, "type_changed", f"{_named(before[name])} → {_named(now[name])}"

    def tables(self, package: Any) -> Iterator[pa.Table]:
        """The tables that belong into this package. Stops between two pages when the package is full."""
        if self._last:
            self.rows.forget(self._last)
        try:
            for table in self._steps:
                if table is not None and table.num_rows:
                    package.rows += table.num_rows
                    yield table
                self._account()
                if table is None and package.is_full:
                    return
        except SourceError as error:
            self._stop(error)
        except (TieoutError, MemoryError):
            raise
        except Exception as error:
            # Its text may quote a row.
            if not self._settings.hides_persons:
                _log.exception("reading %s", self.resource.path)
            self._stop(ReadingFailed(self.resource.path, type(error).__name__))
        self._account()
        came = {name: sorted(types) for name, types in self.rows.types.items()}
        told = {name: types for name, types in self._fields_before.items() if types}
        self.progress = replace(self.progress, fields={**came, **told})
        if not self.resource.keeps_vanished and self.progress.coverage.oldest != NEVER:
            self.outcome.unread_since = self.progress.coverage.oldest
        self.outcome.finished_at = self._settings.now()
        self.is_finished = True

    def _stop(self, error: SourceError) -> None:
        self.stopped_by = error
        self.outcome.is_complete = False
        if error.is_fault:
            self.outcome.error = str(error)
            self.outcome.is_withheld = error.withholds
        else:
            self.outcome.mode_reason = str(error)

    def _run(self) -> Generator[pa.Table | None, None, None]:
        """Arrow tables; None wherever what was read so far can be committed."""
        if self.stopped_by:
            raise self.stopped_by
        now, progress = self._settings.now(), self.progress
        if self.resource.newest_first:
            yield from self._log()
        elif self._waiting:
            yield from self._entries(self._waiting)
        else:
            # What is to be accepted rests on one reading, not on what an earlier one missed.
            if self._accepts_deletions or progress.is_given_up(now, self._stale_after):
                self.progress = progress = replace(progress, sweep_started_at=None, vanished=())
            since = progress.watermark - _OVERLAP if progress.watermark else None
            changes = self._client.changes(self.resource, since) if since else None
            decided = plan(
                progress,
                rows=self.rows.live,
                now=now,
                promise=timedelta(days=self._settings.full_sweep_every_days),
                full=self._full,
                has_changes=changes is not None or self.resource.created is not None,
            )
            self.outcome.mode, self.outcome.mode_reason = decided.mode.value, decided.reason
            if decided.mode is Mode.FULL:
                yield from self._sweep()
            else:
                # The newest come last: then the total that comes with them is of rows that were all asked for.
                yield from self._slices(decided)
                yield from self._changed(changes)
                yield from self._singles()
                yield from self._settle()
        # What changed since the oldest row was read may not be read yet; and a stamp of the future tells nothing.
        newest = self._newest()
        self.progress = replace(self.progress, ran_at=now, watermark=newest and min(newest, self.outcome.started_at))

    # What a plan is made of.

    def _sweep(self) -> Iterator[pa.Table | None]:
        """Everything that was not read since the sweep began, then what has vanished."""
        now = self._settings.now()
        is_new = self.progress.sweep_started_at is None
        if is_new:
            known = self.progress.coverage
            # A clock that stands still would make this sweep look like the one before.
            coverage = known if known.newest < now else Coverage()
            self.progress = replace(self.progress, sweep_started_at=now, coverage=coverage, vanished=())
        self.outcome.started_at = began = self.progress.sweep_started_at or now
        for part in self.progress.coverage.unread(since=began):
            yield from self._range(part, now)
        # What runs before this one read of it is as old as it is.
        self.outcome.started_at = oldest = self.progress.coverage.oldest
        self._swept_since = _ALWAYS if is_new else oldest
        self._count_what_gave_nothing()
        gone = list(self.progress.vanished)
        self.progress = replace(self.progress, sweep_started_at=None, vanished=())
        if self.outcome.api_total is None:
            self.progress = replace(self.progress, coverage=Coverage())
            self.outcome.error = self._uncounted()
            return
        if self._lacks(gone):
            self.progress = replace(self.progress, coverage=Coverage())
            total, found = self.outcome.api_total, self._present(gone)
            self.outcome.error = (
                f"{self._client.http.product} counts {total} {self.resource.name} but gave {found}:"
                " nothing is taken as deleted; the next run reads them again."
            )
            return
        if _is_too_many(gone, self.rows.live) and not self.resource.may_be_replaced:
            if not self._accepts_deletions:
                self.progress = replace(self.progress, coverage=Coverage())
                self.outcome.error = (
                    f"{len(gone)} of {self.rows.live} {self.resource.name} are gone from {self._client.http.product},"
                    f" more than {_MOST_DELETED:.0%}: none is marked as deleted; check the credential's permissions"
                    f" there; if they were really deleted, {self._how_to_accept} accepts that."
                )
                return
            self.outcome.mode_reason += f"; accepted that {len(gone)} of {self.rows.live} are gone"
        # What is due may have changed after an earlier run read it.
        due = () if is_new else tuple(key for key in self.progress.due if key not in self._met)
        self.progress = replace(self.progress, swept_at=oldest, due=due)
        yield from self._mark_deleted(gone)
        self.outcome.is_complete = True

    def _count_what_gave_nothing(self) -> None:
        """An empty page is no page of a sweep, and so the total on it was not seen."""
        if self.outcome.api_total is None and not self.rows.rows_read:
            self.outcome.api_total = self._client.count(self.resource)

    def _changed(self, changes: Iterator[Page] | None) -> Iterator[pa.Table | None]:
        """What the API says was modified; else the newest rows."""
        if changes is not None:
            # Asked before: what is made in between is read without being counted, and never the other way.
            total = self._client.count(self.resource)
            for batch in _batches(prefetched(changes, _PAGES_AHEAD)):
                yield self._read(batch)
            self.outcome.api_total = total
            return
        now = self._settings.now()
        start = self.rows.position_before((self.progress.ran_at or now) - timedelta(days=self.resource.reread_days))
        yield from self._range(Range(start.key, None, NEVER, start.skip), now)

    def _slices(self, decided: Plan) -> Iterator[pa.Table | None]:
        """What was not read for the longest time: of the rows that may yet turn, then of all."""
        if days := self.resource.late_reread_days:
            late = self.rows.position_before(self._settings.now() - timedelta(days=days))
            yield from self._stalest(round(self.rows.live_in(late.key, None) * decided.late_share), late)
        yield from self._stalest(decided.slice_rows)

    def _stalest(self, rows: int, behind: Position = BEGINNING) -> Iterator[pa.Table | None]:
        """The ranges behind a position that were not read for the longest time, about so many rows."""
        now = self._settings.now()
        for part in self.progress.coverage.stale(now, behind):
            if rows <= 0:
                return
            before = self.rows.rows_read
            yield from self._range(part, now, at_most=rows)
            rows -= self.rows.rows_read - before

    def _singles(self) -> Iterator[pa.Table | None]:
        """What is due by name or stands in quarantine, and did not come by itself. What is too much waits."""
        wanted = [key for key in dict.fromkeys((*self.progress.due, *sorted(self._watched))) if key not in self._met]
        for page in self._client.singles(self.resource, wanted[:_MOST_SINGLES], self._quarantined_keys):
            yield self._read([page])
        self._met.update(wanted[:_MOST_SINGLES])
        self.progress = replace(self.progress, due=tuple(key for key in self.progress.due if key not in self._met))

    def _settle(self) -> Iterator[pa.Table | None]:
        """Flags what is gone from the slices; reads everything, where more is missing than they can tell."""
        gone = list(self.progress.vanished)
        self.progress = replace(self.progress, vanished=())
        if self.outcome.api_total is None:
            self.outcome.error = self._uncounted()
            return
        if self._lacks(gone) or _is_too_many(gone, self._sliced + len(gone)):
            self.outcome.mode, self.outcome.mode_reason = Mode.FULL.value, "more rows are missing than a slice can tell"
            yield from self._sweep()
            return
        yield from self._mark_deleted(gone)
        self.outcome.is_complete = True

    def _log(self) -> Iterator[pa.Table | None]:
        """A log from its newest entry to known ground. What it no longer retains stays in the warehouse."""
        # The instant of the rows that it brings: by it the next reading tells them from known ground.
        began = self.rows.extracted_at
        to_known_ground = self.progress.swept_at is not None and not self._full
        # What a reading brought that broke off is no known ground: what lies before it was not read.
        unfinished = self.progress.sweep_started_at
        self.progress = replace(self.progress, sweep_started_at=unfinished or began)
        self.outcome.mode = (Mode.INCREMENTAL if to_known_ground else Mode.FULL).value
        self.outcome.mode_reason = "newest first, to known ground" if to_known_ground else "newest first, to the end"
        for page in self._client.pages(self.resource, known=self._known_holes()):
            if to_known_ground and not self._comes_newest_first(page):
                to_known_ground = False
                self.outcome.mode = Mode.FULL.value
                self.outcome.mode_reason = "not newest first, so to the end"
            is_known_ground = bool(page.ids) and self.rows.is_known(page.ids, before=unfinished)
            table = self._read([page])
            if table.num_rows:
                self._note_events(table)
            yield table
            if to_known_ground and is_known_ground:
                break
        self._count_what_gave_nothing()
        if self.outcome.api_total is None:
            self.outcome.error = self._uncounted()
            return
        self.progress = replace(self.progress, swept_at=began, sweep_started_at=None)
        if self.outcome.mode == Mode.FULL:
            self._swept_since = _ALWAYS
        self.outcome.is_complete = True

    def _comes_newest_first(self, page: Page) -> bool:
        """Whether this page of a log is in the order that was asked for: servers refuse one, or ignore it."""
        keys = [key for key in page.ids if key is not None]
        is_first = not self.rows.rows_read
        return not keys or (keys[0] >= keys[-1] and (not is_first or max(keys) >= self.rows.highest_before))

    def _entries(self, waiting: Waiting) -> Iterator[pa.Table | None]:
        """What entries of a log tell only one by one: those that were not asked for yet, within a budget."""
        self.outcome.mode = Mode.INCREMENTAL.value
        for batch in _batches(self._client.entries(self.resource, waiting)):
            yield self._read(batch)
            yield None
        self.outcome.mode_reason = waiting.account
        if waiting.stopped_by:
            raise waiting.stopped_by
        self.outcome.is_complete = not waiting.is_broken

    def _range(self, part: Range, at: datetime, *, at_most: int | None = None) -> Iterator[pa.Table | None]:
        """The rows of a range. Notes after each batch how far it has come and what is missing there."""
        start, is_in_key_order, rows = part.start, True, 0
        last = None if at_most is None else start.skip + at_most
        pages = prefetched(
            _up_to(self._client.pages(self.resource, start, self._known_holes()), part.high, last), _PAGES_AHEAD
        )
        for batch in _batches(pages):
            self._note_gaps(start.key, batch)
            yield self._read(batch)
            position = batch[-1].position
            if position is None:
                is_in_key_order = False
                continue
            rows = position.skip - part.start.skip
            if position.key is not None and position.key != start.key:
                end = Position(part.high, position.skip) if _is_beyond(position, part.high) else position
                self._note(start, end, at)
                start = end
                self._last = batch[-1:]
                yield None
        self._sliced += rows
        self.progress = replace(self.progress, is_in_key_order=is_in_key_order)
        is_at_end = part.high is None and (at_most is None or rows < at_most)
        if is_at_end or not is_in_key_order:
            self._note(start if is_in_key_order else BEGINNING, None, at)
        elif start.key != part.high and (at_most is None or rows < at_most):
            self._note(start, Position(part.high, start.skip), at)

    def _known_holes(self) -> list[KnownHole]:
        """The places in quarantine, with about how many rows come before each, where that follows from the keys."""
        holes: list[KnownHole] = []
        for name in self._quarantined:
            with suppress(ValueError):
                holes.append(known_hole(name))
        if self.resource.newest_first or not self.progress.is_in_key_order:
            return holes
        holes.sort(key=lambda hole: (hole.key is not None, hole.key or 0, hole.number))
        keys = {hole.key for hole in holes}
        before = {key: 0 if key is None else self.rows.live_in(None, key) for key in keys}
        return [replace(hole, skip=before[hole.key] + number) for number, hole in enumerate(holes)]

    # The account.

    def _read(self, batch: list[Page]) -> pa.Table:
        self._check_clock()
        for page in batch:
            self._met |= self._watched.intersection(page.ids)
            if page.total is not None:
                self.outcome.api_total = page.total
            if came_back := set(page.ids).intersection(self.progress.vanished):
                still = tuple(key for key in self.progress.vanished if key not in came_back)
                self.progress = replace(self.progress, vanished=still)
        return self.rows.read(batch)

    def _check_clock(self) -> None:
        """Raises `ClockWrong` where the instants of this reading would be wrong. A simulation has a time of its own."""
        if self._settings.tieout_now is not None:
            return
        skew = self._client.http.skew
        if skew is not None and abs(skew) > _MOST_SKEW:
            raise ClockWrong(self._client.http.product, -skew)

    def _note(self, start: Position, end: Position | None, at: datetime) -> None:
        """The rows behind `start` up to `end` were read: what the warehouse holds there and did not come is missing."""
        self._reread.append(Range(start.key, end.key if end else None, at))
        missing = [] if self.resource.keeps_vanished else self.rows.vanished(start.key, end.key if end else None)
        # One of them may be what cannot be read.
        self._hidden.update(filter(self._is_in_gap, missing))
        self.progress = replace(
            self.progress,
            coverage=self.progress.coverage.read(start, end, at),
            # What was read twice is missing once.
            vanished=tuple(
                dict.fromkeys((*self.progress.vanished, *(key for key in missing if key not in self._hidden)))
            ),
        )

    def _note_gaps(self, low: int | None, batch: list[Page]) -> None:
        """Where, between which keys, stands a row that cannot be read or has no key that can: anywhere, where keys do
        not come in order."""
        for page in batch:
            is_in_order = page.position is not None
            if page.hole:
                self._gaps.append((low if is_in_order else None, None))
            for key in page.ids if None in page.ids else (*page.ids[:1], *page.ids[-1:]):
                if key is None:
                    self._gaps.append((low if is_in_order else None, None))
                elif is_in_order:
                    self._gaps = [(below, key if above is None else above) for below, above in self._gaps]
                    low = key

    def _is_in_gap(self, key: int) -> bool:
        return any((low is None or key > low) and (high is None or key < high) for low, high in self._gaps)

    def _note_events(self, table: pa.Table) -> None:
        for kind, key in zip(table["event_type"].to_pylist(), table["context_id"].to_pylist(), strict=True):
            if kind is not None and key and key.isdecimal():
                self.events.setdefault(kind // 10, {})[int(key)] = None
        columns = ("id", "webhook_id", "event_type", "event_type_display")
        for key, log, kind, label in zip(*(table[name].to_pylist() for name in columns), strict=True):
            if log is None:
                continue
            if is_about_campaign(kind, label):
                self.entries.append(LogEntry(key, log, is_of_campaign=True))
            elif self._noted[log] < self._settings.webhook_payloads_per_run:
                self._noted[log] += 1
                self.entries.append(LogEntry(key, log))

    def _present(self, gone: list[int]) -> int:
        """How many rows there are, as far as this reading and the ones before it know.

        A row that cannot be read counts once: by its place in the list, whether or not the warehouse holds it.
        """
        unread = {record.record_id for record in self.rows.unreadable if not record.field}
        unread |= {name for name in self._quarantined if not (self._has_reread(name) or self._has_swept(name))}
        places = [name for name in unread if not name.isdecimal()]
        missing = len(gone) + len(self._hidden)
        untyped = sum(not self.rows.is_known([key]) for key in self.rows.untyped)
        return self.rows.live + self.rows.rows_new - self.outcome.rows_deleted - missing + len(places) + untyped

    def _uncounted(self) -> str:
        return (
            f"{self._client.http.product} does not say how many {self.resource.name} there are: what came is kept, and"
            " nothing is taken as complete or deleted; check the base URL, and report it if it stays."
        )

    def _lacks(self, gone: list[int]) -> bool:
        total = self.outcome.api_total
        return total is not None and self._present(gone) < total

    def _newest(self) -> datetime | None:
        return max(filter(None, (self.progress.watermark, self.rows.latest, self.rows.latest_before)), default=None)

    def _mark_deleted(self, keys: list[int]) -> Iterator[pa.Table]:
        if keys:
            self.outcome.rows_deleted += len(keys)
            yield self.rows.as_deleted(keys)

    def _account(self) -> None:
        outcome, rows = self.outcome, self.rows
        usage = self._client.http.usage.since(self._usage)
        outcome.rows_read = rows.rows_read
        outcome.rows_new = rows.rows_new
        outcome.rows_changed = rows.rows_changed
        outcome.watermark = self.progress.watermark.isoformat() if self.progress.watermark else None
        outcome.rows_quarantined = len({record.record_id for record in rows.unreadable})
        outcome.requests = usage.requests
        outcome.retries = usage.retries
        outcome.throttled_seconds = usage.throttled_seconds
        outcome.seconds = monotonic() - self._began


def _named(types: Iterable[str]) -> str | None:
    return " or ".join(sorted(types)) or None


def _is_too_many(gone: list[int], held: int) -> bool:
    return len(gone) > _MOST_DELETED * max(held, 1)


def _is_beyond(position: Position | None, high: int | None) -> bool:
    return position is not None and position.key is not None and high is not None and position.key >= high


def _up_to(pages: Iterator[Page], high: int | None, last: int | None) -> Iterator[Page]:
    """The pages up to the one that reaches the key `high`, or the `last` row of the collection."""
    for page in pages:
        yield page
        reached = last is not None and page.position is not None and page.position.skip >= last
        if reached or _is_beyond(page.position, high):
            return


def _batches(pages: Iterator[Page]) -> Iterator[list[Page]]:
    """Pages together, as many as DuckDB reads best at a time. What came before an error is given out before it."""
    batch: list[Page] = []
    size = 0
    try:
        for page in pages:
            batch.append(page)
            size += len(page.body)
            if size >= _BYTES_PER_BATCH:
                yield batch
                batch, size = [], 0
    except Exception:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def progress_from(row: dict[str, Any]) -> ReadProgress:
    """What `read_progress` holds of a resource. What an older version did not write is null."""
    return ReadProgress(
        coverage=Coverage.from_json(json.loads(row["coverage"])),
        is_in_key_order=row["is_in_key_order"],
        sweep_started_at=row["sweep_started_at"],
        swept_at=row["swept_at"],
        watermark=datetime.fromisoformat(row["watermark"]) if row["watermark"] else None,
        ran_at=row["ran_at"],
        vanished=tuple(json.loads(row["vanished"] or "[]")),
        due=tuple(json.loads(row["due"] or "[]")),
        fields=json.loads(row["fields"] or "{}"),
    )


def progress_row(progress: ReadProgress) -> dict[str, Any]:
    """The other way."""
    return {
        "coverage": json.dumps(progress.coverage.to_json()),
        "is_in_key_order": progress.is_in_key_order,
        "sweep_started_at": progress.sweep_started_at,
        "swept_at": progress.swept_at,
        "watermark": progress.watermark.isoformat() if progress.watermark else None,
        "ran_at": progress.ran_at,
        "vanished": json.dumps(progress.vanished),
        "due": json.dumps(progress.due),
        "fields": json.dumps(progress.fields),
    }
