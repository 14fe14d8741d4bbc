"""Instants of the sandbox: whole milliseconds since 1970 in UTC, and the spellings the two products give them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

HOUR = 3_600_000
DAY = 24 * HOUR
MINUTE = 60_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

START = (datetime(2026, 3, 2, 6, 0, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
"""Where the clock of every new world stands; all history lies before it."""

ORGANIZATION_OFFSET = -7 * HOUR
"""The organization lives in US/Arizona, which has no daylight saving time."""


def parse_instant(text: str) -> int:
    """Read an ISO instant; one without an offset is UTC."""
    instant = datetime.fromisoformat(text.strip())
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return (instant - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=50_000)
def _day(number: int) -> datetime:
    return datetime.fromtimestamp(number * 86_400, UTC)


@lru_cache(maxsize=50_000)
def iso_day(number: int) -> str:
    """`2026-03-14` for a day counted from 1970."""
    return _day(number).strftime("%Y-%m-%d")


@lru_cache(maxsize=50_000)
def culture_day(number: int) -> str:
    """`3/14/2026` for a day counted from 1970, as an en-US organization prints it."""
    day = _day(number)
    return f"{day.month}/{day.day}/{day.year}"


def local_day(instant: int) -> int:
    """The calendar day of an instant where the organization lives, counted from 1970."""
    return (instant + ORGANIZATION_OFFSET) // DAY


_MINUTES = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
_SECONDS = [f"{second:02d}" for second in range(60)]


def seconds(instant: int) -> str:
    """`2026-03-14T14:05:09`: no fraction, no zone."""
    day, rest = divmod(instant, DAY)
    minute, rest = divmod(rest, MINUTE)
    return iso_day(day) + _MINUTES[minute] + _SECONDS[rest // 1000]


def with_fraction(instant: int, digits: int) -> str:
    """`seconds` with 0, 2, 3 or 7 digits of fraction."""
    if digits == 0:
        return seconds(instant)
    fraction = f"{instant % 1000:03d}{instant * 7919 % 10_000:04d}"
    return f"{seconds(instant)}.{fraction[:digits]}"


def iso_z(instant: int) -> str:
    """The unambiguous spelling, used by the control API."""
    return f"{with_fraction(instant, 3)}Z"


def varied(instant: int, key: int) -> str:
    """An instant as Raise may spell it: mostly seven digits and no zone, now and then something else."""
    style = key % 12
    if style < 6:
        return with_fraction(instant, 7)
    if style == 6:
        return seconds(instant)
    if style == 7:
        return f"{seconds(instant)}Z"
    if style == 8:
        return with_fraction(instant, 2)
    if style == 9:
        return f"{with_fraction(instant, 3)}Z"
    if style == 10:
        return f"{with_fraction(instant + ORGANIZATION_OFFSET, 7)}-07:00"
    return f"{with_fraction(instant, 7)}+00:00"


def localized(instant: int) -> str:
    """`3/14/2026 2:05:09 PM`: the localized text of Raise's recurring gifts."""
    day, rest = divmod(instant, DAY)
    hour, rest = divmod(rest, HOUR)
    minute, rest = divmod(rest, MINUTE)
    return f"{culture_day(day)} {hour % 12 or 12}:{minute:02d}:{rest // 1000:02d} {'AM' if hour < 12 else 'PM'}"


def utc_stamp(instant: int, key: int) -> str:
    """A `...Utc` stamp of CRM+: UTC without saying so, with 0, 2, 3 or 7 digits of fraction."""
    return with_fraction(instant, (3, 3, 2, 7, 3, 0, 2, 3)[key % 8])


def midnight(day: int) -> str:
    """A calendar date as CRM+ writes it: midnight without a zone."""
    return f"{iso_day(day)}T00:00:00"
