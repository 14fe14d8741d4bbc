"""How the text of a field becomes a typed value: DuckDB macros, one per kind.

The two APIs write the same thing in many ways: instants with or without an offset and with 0 to 7 fraction digits,
localized dates, money as numbers and as formatted text, booleans and ids as text. A macro returns NULL for what it
cannot read; `is_blank` tells that apart from what says "nothing".
"""

from __future__ import annotations

import duckdb

from ingestion.columns import Kind

_BLANKS = ("", "null", "none", "n/a", "unavailable")

# Tried in order on what is not ISO 8601. Month first: both products write the culture of their U.S. customers. Years of
# two digits come first: the others would take them for the first century.
_DAYS = ("%m/%d/%y", "%m/%d/%Y", "%b %d %Y", "%B %d %Y", "%A %B %d %Y", "%d %b %Y", "%a %d %b %Y", "%Y-%m-%d")
_TIMES = ("%I:%M:%S %p", "%I:%M %p", "%H:%M:%S", "%H:%M")
_INSTANT_FORMATS = (
    *(f"{day} {time}" for day in _DAYS for time in _TIMES),
    *_DAYS,
    "%Y-%m-%dT%H:%M",
)
_OFFSET_FORMATS = tuple(
    f"{form} %z" for form in (*_INSTANT_FORMATS, "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f") if "%M" in form
)


def _list(texts: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{text}'" for text in texts) + "]"


_MACROS = (
    # .NET writes an unset DateTime as the first of January of the year 1. Of an IN, DuckDB makes a join, in which each
    # thread holds a copy of all columns (1.5.5, 2026-11-30).
    f"""create macro is_blank(t) as
        list_contains([{", ".join(repr(b) for b in _BLANKS)}], lower(trim(t)))
        or regexp_matches(t, '^(0001-01-01|0?1/0?1/0001)')""",
    # .NET puts a narrow blank before AM and PM, others none; commas stand anywhere.
    r"""create macro plain_blanks(t) as
        regexp_replace(trim(translate(t, chr(8239) || chr(160) || ',', '  ')), '([0-9])([AP]M)', '\1 \2')""",
    # Up to what Python can hold in every time zone.
    """create macro real_instant(i) as case
        when i >= timestamptz '1000-01-01 00:00:00+00' and i < timestamptz '9999-12-31 00:00:00+00' then i
    end""",
    "create macro real_date(d) as case when d between date '1000-01-01' and date '9999-12-31' then d end",
    r"""create macro with_offset(t) as
        regexp_replace(regexp_replace(t, '(Z|GMT|UTC)$', '+00:00'), ' ?([+-][0-9]{2}:?[0-9]{2})$', ' \1')""",
    # Each macro names its argument once around what is dear: DuckDB computes what stands twice in a CASE for every row.
    f"""create macro to_instant(t) as real_instant(coalesce(
        try_cast(case when t[5:5] = '-' then t end as timestamptz),
        try_strptime(with_offset(plain_blanks(t)), {_list(_OFFSET_FORMATS)})::timestamptz,
        try_strptime(plain_blanks(t), {_list(_INSTANT_FORMATS)})::timestamptz
    ))""",
    # A calendar date is the day as written: whatever zone follows, it is never shifted.
    f"""create macro to_date(t) as real_date(coalesce(
        try_cast(case when t[5:5] = '-' then t[1:10] end as date),
        try_strptime(
            regexp_replace(with_offset(plain_blanks(t)), ' [+-][0-9]{{2}}:?[0-9]{{2}}$', ''), {_list(_INSTANT_FORMATS)}
        )::date
    ))""",
    # As minus a typographic sign is meant too, and an en dash that stands for it.
    "create macro plain_minus(t) as translate(t, '\u2212\u2013', '--')",
    r"""create macro to_number(t) as case
        when regexp_full_match(
            trim(plain_minus(t)),
            '[(-]?\s*[^0-9.,()\s-]{0,4}\s*-?([0-9]{1,3}(,[0-9]{3})+|[0-9]+)(\.[0-9]+)?\)?\s*([A-Z]{3}|%)?'
        ) then
            (case when regexp_matches(plain_minus(t), '[(-]') then '-' else '' end)
            || regexp_replace(t, '[^0-9.]', '', 'g')
        else trim(t)
    end""",
    "create macro to_money(t) as try_cast(to_number(t) as decimal(18, 2))",
    "create macro to_rate(t) as try_cast(to_number(t) as decimal(18, 8))",
    # try_cast alone would round 12.7 to 13.
    r"""create macro to_integer(t) as case
        when regexp_full_match(trim(t), '[+-]?[0-9]+(\.0*)?')
        then try_cast(regexp_replace(trim(t), '\.0*$', '') as bigint)
    end""",
    # With an exponent, all digits behind the 18th count as more.
    *(
        rf"""create macro is_finer_than_{scale}(t) as case
            when regexp_matches(t, '[0-9]\.?[eE][+-]?[0-9]') then
                try_cast(trim(t) as decimal(38, 18)) is distinct from try_cast(trim(t) as decimal(38, {scale}))
                or (regexp_matches(t, '[eE]-0*[0-9]{{2,}}|\.[0-9]{{17,}}[eE]') and regexp_matches(t, '^[^eE]*[1-9]'))
            else regexp_matches(t, '\.[0-9]{{{scale}}}[0-9]*[1-9]')
        end"""
        for scale in (2, 8)
    ),
    """create macro to_boolean(t) as case
        when lower(trim(t)) in ('true', 't', 'yes', 'y', '1', '1.0') then true
        when lower(trim(t)) in ('false', 'f', 'no', 'n', '0', '0.0') then false
    end""",
)

_FROM_TEXT: dict[Kind, str] = {
    Kind.INTEGER: "to_integer({})",
    Kind.MONEY: "to_money({})",
    Kind.RATE: "to_rate({})",
    Kind.BOOLEAN: "to_boolean({})",
    Kind.INSTANT: "to_instant({})",
    Kind.DATE: "to_date({})",
}

_IS_ROUNDED: dict[Kind, str] = {Kind.MONEY: "is_finer_than_2({})", Kind.RATE: "is_finer_than_8({})"}

# JSON has no type for these, so they always arrive as text.
ALWAYS_TEXT = frozenset({Kind.INSTANT, Kind.DATE})


def install(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros in `connection`."""
    for macro in _MACROS:
        connection.execute(macro)


def is_parsed(kind: Kind) -> bool:
    """Whether a value of this kind can fail to be read from its text."""
    return kind in _FROM_TEXT


def is_fraction(kind: Kind) -> bool:
    """Whether values of this kind have decimals."""
    return kind in _IS_ROUNDED


def from_number(kind: Kind, expression: str) -> str:
    """The SQL that reads `expression`, a DOUBLE, as money or a rate."""
    return f"try_cast({expression} as {kind.value})"


def is_inexact(kind: Kind, typed: str, expression: str) -> str:
    """The condition that `typed`, made of a DOUBLE, may not be what was written: a double is sure of 15 digits."""
    most = {Kind.MONEY: "1e13", Kind.RATE: "1e7"}[kind]
    return (
        f"case when {expression} is not null"
        f" then coalesce({typed}::double <> {expression}, true) or abs({expression}) >= {most} else false end"
    )


def is_rounded(kind: Kind, expression: str) -> str:
    """The condition that `expression`, a VARCHAR, has more decimals than this kind keeps."""
    return _IS_ROUNDED[kind].format(expression) if kind in _IS_ROUNDED else "false"


def from_text(kind: Kind, expression: str) -> str:
    """The SQL that reads `expression`, a VARCHAR, as `kind`. NULL where it cannot be read."""
    return _FROM_TEXT[kind].format(expression)
