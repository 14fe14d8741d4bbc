"""The query language of CRM+: parameters, operators, groups of conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .clock import DAY, iso_day, local_day, parse_instant

Getter = Callable[[Any], Any]
Test = Callable[[Any], bool]

_COMPARING = ("Is", "LessThan", "LessThanOrEqual", "GreaterThan", "GreaterThanOrEqual", "Between")
OPERATORS: dict[str, tuple[str, ...]] = {
    "Int": _COMPARING,
    "Decimal": _COMPARING,
    "Date": (
        "Is", "LessThan", "LessThanOrEqual", "Before", "OnOrBefore",
        "GreaterThan", "GreaterThanOrEqual", "After", "OnOrAfter", "Between",
    ),
    "String": ("Is", "IsKnown", "IsNotKnown", "Contains", "StartsWith", "EndsWith"),
    "List": ("Is", "IsNot", "IsAnyOf"),
    "Boolean": ("IsTrue", "IsFalse"),
    "Object": ("IsSet", "IsNotSet"),
}  # fmt: skip
"""The operators of each type of parameter; a `Day` is a Date that knows no time of day."""

_SAME = {
    "Before": "LessThan",
    "OnOrBefore": "LessThanOrEqual",
    "After": "GreaterThan",
    "OnOrAfter": "GreaterThanOrEqual",
}
_WITHOUT_VALUE = {"IsKnown", "IsNotKnown", "IsTrue", "IsFalse", "IsSet", "IsNotSet"}

_WITH_VALUES = {"IsAnyOf", "Is", "IsNot"}
"""Operators of a list that take `values`."""

_DAYS_FROM_NOW = {
    "yesterday": -1,
    "today": 0,
    "tomorrow": 1,
    "one week from now": 7,
    **{f"{days} days ago": -days for days in (30, 60, 90, 180, 270)},
    "one year ago": -365,
    "two years ago": -730,
}
RELATIVE_DAYS = (
    "Today", "Yesterday", "Tomorrow", "Last Sunday", "One week from now", "Start Of This Month", "This Calendar Year",
    "30 Days Ago", "60 Days Ago", "90 Days Ago", "180 Days Ago", "270 Days Ago", "One Year Ago", "Two Years Ago",
)  # fmt: skip
"""Words that a date may be given in."""


class BadQueryError(Exception):
    """A query that CRM+ refuses."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Parameter:
    """Something that can be filtered on."""

    kind: str
    get: Getter
    day_only: bool = False


@dataclass(frozen=True)
class Language:
    """The parameters and sort keys of one resource."""

    id_parameter: str
    parameters: dict[str, Parameter]
    sort_keys: dict[str, Getter] = field(default_factory=dict)

    def options(self) -> dict[str, Any]:
        """The answer of QueryOptions."""

        def describe(operator: str) -> dict[str, Any]:
            return {
                "operator": operator,
                "multipleValuesAllowed": operator in _WITH_VALUES,
                "valueRequired": operator not in _WITHOUT_VALUE,
            }

        used = dict.fromkeys(operator for item in self.parameters.values() for operator in OPERATORS[item.kind])
        return {
            "options": [
                {
                    "parameter": name,
                    "type": item.kind,
                    "operatorOptions": [describe(operator) for operator in OPERATORS[item.kind]],
                    "valueOptions": RELATIVE_DAYS if item.kind == "Date" else [],
                }
                for name, item in self.parameters.items()
            ],
            "operatorOptions": [describe(operator) for operator in used],
        }


@dataclass(frozen=True)
class Selection:
    """A parsed filter: from which id on, and which rows."""

    after: int | None
    inclusive: bool
    groups: list[list[Test]]
    name: str
    """Names everything but the id bound, so that the pages of one keyset share one selection."""

    def fits(self, row: Any) -> bool:
        """Whether a row is selected, the id bound apart."""
        return not self.groups or any(all(test(row) for test in group) for group in self.groups)


def parse(language: Language, groups: list[Any], now: int) -> Selection:
    """Read the groups of a query at an instant: conditions in a group are ANDed, groups ORed."""
    read: list[list[Test]] = []
    after: int | None = None
    inclusive = False
    rest: list[Any] = []
    filled = [group for group in groups if group.get("conditions")]
    for group in filled:
        tests: list[Test] = []
        for condition in group["conditions"]:
            if not isinstance(condition, dict):
                raise BadQueryError("conditions", "A condition must be an object.")
            condition = {str(key).lower(): value for key, value in condition.items()}
            test = _test(language, condition, local_day(now))
            operator = condition["operator"]
            if (
                len(filled) == 1
                and condition["parameter"] == language.id_parameter
                and operator in ("GreaterThan", "GreaterThanOrEqual")
                and after is None
            ):
                after, inclusive = int(condition["value"]), operator == "GreaterThanOrEqual"
            else:
                tests.append(test)
                rest.append(condition)
        rest.append("or")
        if tests or len(filled) > 1:
            read.append(tests)
    return Selection(after, inclusive, read, repr((rest, local_day(now))) if read else "")


def _test(language: Language, condition: dict[str, Any], today: int) -> Test:
    name, operator = condition.get("parameter"), condition.get("operator")
    parameter = language.parameters.get(str(name))
    if parameter is None:
        raise BadQueryError("parameter", f"'{name}' is not a valid parameter.")
    if operator not in OPERATORS[parameter.kind]:
        raise BadQueryError("operator", f"'{operator}' is not a valid operator for '{name}'.")
    get = parameter.get
    if operator == "IsTrue":
        return lambda row: bool(get(row))
    if operator == "IsFalse":
        return lambda row: not get(row)
    if operator in ("IsKnown", "IsSet"):
        return lambda row: get(row) not in (None, "", ())
    if operator in ("IsNotKnown", "IsNotSet"):
        return lambda row: get(row) in (None, "", ())
    values = condition.get("values") or []
    if parameter.kind == "List" and (values or operator == "IsAnyOf"):
        return _list_test(get, str(operator), {str(value).lower() for value in values})
    value = condition.get("value")
    if value is None or value == "":
        raise BadQueryError("value", f"'{name}' needs a value.")
    if parameter.kind in ("String", "List"):
        if parameter.kind == "List":
            return _list_test(get, str(operator), {str(value).lower()})
        return _text_test(get, str(operator), str(value).lower())
    return _comparison(parameter, str(operator), value, condition.get("secondaryvalue"), today)


def _list_test(get: Getter, operator: str, values: set[str]) -> Test:
    """One of the values, or none of them; a row may have several itself."""

    def has_any(row: Any) -> bool:
        found = get(row)
        return any(str(each).lower() in values for each in (found if isinstance(found, tuple) else (found,)))

    return (lambda row: not has_any(row)) if operator == "IsNot" else has_any


def _text_test(get: Getter, operator: str, value: str) -> Test:
    def text(row: Any) -> str:
        return str(get(row) or "").lower()

    tests: dict[str, Test] = {
        "Is": lambda row: text(row) == value,
        "Contains": lambda row: value in text(row),
        "StartsWith": lambda row: text(row).startswith(value),
        "EndsWith": lambda row: text(row).endswith(value),
    }
    return tests[operator]


def _comparison(parameter: Parameter, operator: str, value: Any, second: Any, today: int) -> Test:
    get = parameter.get
    low, whole_day = _value(parameter, value, today)
    end = low + DAY if whole_day else low
    operator = _SAME.get(operator, operator)
    if operator == "Is":
        return (lambda row: low <= get(row) < end) if whole_day else (lambda row: bool(get(row) == low))
    if operator == "Between":
        high, whole_high = _value(parameter, second, today)
        high = high + DAY - 1 if whole_high else high
        return lambda row: low <= get(row) <= high
    tests: dict[str, Test] = {
        "LessThan": lambda row: get(row) < low,
        "LessThanOrEqual": lambda row: get(row) < end if whole_day else get(row) <= low,
        "GreaterThan": lambda row: get(row) >= end if whole_day else get(row) > low,
        "GreaterThanOrEqual": lambda row: get(row) >= low,
    }
    return tests[operator]


def _value(parameter: Parameter, value: Any, today: int) -> tuple[Any, bool]:
    """A value to compare with, and whether it stands for a whole UTC day."""
    try:
        if parameter.kind == "Int":
            return int(value), False
        if parameter.kind == "Decimal":
            return float(value), False
        text = str(value).strip()
        if (relative := _relative_day(text.lower(), today)) is not None:
            text = iso_day(relative)
        elif "/" in text:
            text = datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).isoformat()[:10]
        instant = parse_instant(text)
    except (ValueError, TypeError):
        raise BadQueryError("value", f"'{value}' is not a valid value.") from None
    if parameter.day_only:
        # the day that was written, whatever time and zone follow
        return parse_instant(text[:10]) // DAY, False
    return instant, len(text) == 10


def _relative_day(words: str, today: int) -> int | None:
    """The day that words mean, counted from 1970."""
    if words in _DAYS_FROM_NOW:
        return today + _DAYS_FROM_NOW[words]
    if words == "last sunday":
        return today - (today + 4) % 7  # 1970 began on a Thursday
    date = datetime.fromtimestamp(today * 86_400, UTC)
    if words == "start of this month":
        return today - date.day + 1
    if words == "this calendar year":
        return today - date.timetuple().tm_yday + 1
    return None


def day_parameter(get_instant: Getter) -> Parameter:
    """A date in the organization's time zone: the time part of a value is dropped."""
    return Parameter("Date", lambda row: local_day(get_instant(row)), day_only=True)
