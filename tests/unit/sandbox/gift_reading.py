"""A plain reading of the contract's rules about gifts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .reading import Reading

Row = dict[str, Any]

SOURCES = {"raisedonors", "raise", "virtuous raise", "legacy raisedonors"}
COSTS = {
    "covers processing fees", "donor paid cost", "processing fee", "processing fees", "processingfee", "creditcardcosts"
}  # fmt: skip
DAY = timedelta(days=1)


def cents(amount: float) -> int:
    return round(amount * 100)


def money(text: str) -> int:
    return cents(float("".join(character for character in text if character in "0123456789.-")))


def day(row: Row) -> date:
    return datetime.fromisoformat(str(row["date"] if "date" in row else row["giftDate"])[:10]).date()


def days_apart(one: Row, other: Row) -> int:
    return abs((day(one) - day(other)).days)


def is_settled(gift: Row) -> bool:
    return str(gift["statusText"]).lower() == "approved"


def is_reversed(gift: Row) -> bool:
    return str(gift["statusText"]).lower() in ("refunded", "chargeback")


def is_back(row: Row) -> bool:
    return bool(row["amount"] < 0 or row["giftType"] == "Reversing Transaction")


def is_from_raise(row: Row) -> bool:
    return str(row["transactionSource"] or "").strip().lower() in SOURCES


def has_id(row: Row) -> bool:
    return bool(str(row["transactionId"] or "").strip())


def net(rows: list[Row]) -> int:
    return sum(cents(row["amount"]) for row in rows)


class GiftReading:
    """Matches of all gifts, step by step; each CRM+ gift is used once."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.gifts = reading.gifts
        self.rows = reading.crm_gifts
        self.found: dict[int, list[Row]] = {}
        self.orphans: set[str] = set()
        self.unclear: set[int] = set()
        self.left: dict[int, Row] = dict(self.rows)
        self._by_pair()
        self._by_amount_and_date()
        self._by_sum()
        self._unnamed_reversals()
        self._moved_gifts()

    # Steps

    def _take(self, id: int, rows: list[Row]) -> None:
        self.found.setdefault(id, []).extend(rows)
        for row in rows:
            del self.left[row["id"]]

    def _by_pair(self) -> None:
        pair = self.reading.pair
        named = {
            id: row["reversedGiftId"] for id, row in self.rows.items() if is_back(row) and row.get("reversedGiftId")
        }
        for id, row in self.rows.items():
            owner = pair(self.rows[named[id]]) if named.get(id) in self.rows else pair(row)
            if owner in self.gifts:
                self._take(owner, [row])
        for id, row in list(self.left.items()):
            if named.get(id) in self.rows and pair(self.rows[named[id]]) is not None:
                del self.left[id]
            elif not is_back(row) and pair(row) is not None:
                self.orphans.add(str(id))
                del self.left[id]

    def _usable(self) -> Iterator[Row]:
        """Left-over gifts that no other system claims."""
        return (row for row in self.left.values() if not is_back(row) and (is_from_raise(row) or not has_id(row)))

    def _wanting(self) -> Iterator[tuple[int, Row, int]]:
        """Gifts without a match, each with its donor's contact."""
        for id, gift in self.gifts.items():
            contact = self.reading.contact_of(gift["donorId"])
            if id not in self.found and contact is not None:
                yield id, gift, contact

    def _by_amount_and_date(self) -> None:
        spots: dict[tuple[int | None, int], list[Row]] = defaultdict(list)
        for row in self._usable():
            for contact in self.contacts(row):
                spots[contact, cents(row["amount"])].append(row)
        near = {
            id: [row for row in spots[contact, cents(gift["amount"])] if days_apart(gift, row) <= 1]
            for id, gift, contact in self._wanting()
        }
        for id, row in self._unique(near):
            self._take(id, [row])

    @staticmethod
    def _unique(near: dict[int, list[Row]]) -> list[tuple[int, Row]]:
        wanted: dict[int, int] = defaultdict(int)
        for rows in near.values():
            for row in rows:
                wanted[row["id"]] += 1
        return [(id, rows[0]) for id, rows in near.items() if len(rows) == 1 and wanted[rows[0]["id"]] == 1]

    def _by_sum(self) -> None:
        parts: dict[tuple[int | None, date], list[Row]] = defaultdict(list)
        for row in self._usable():
            if is_from_raise(row) and not has_id(row):
                for contact in self.contacts(row):
                    parts[contact, day(row)].append(row)
        near: dict[int, list[Row]] = {}
        for id, gift, contact in self._wanting():
            spots = [parts[contact, day(gift) + offset * DAY] for offset in (-1, 0, 1)]
            fitting = [rows for rows in spots if len(rows) > 1 and net(rows) == cents(gift["amount"])]
            near[id] = [{"id": rows[0]["id"], "rows": rows} for rows in fitting]
        for id, sum_of in self._unique(near):
            self._take(id, sum_of["rows"])

    def _unnamed_reversals(self) -> None:
        backs = [row for row in self.left.values() if is_back(row) and row.get("reversedGiftId") not in self.rows]
        candidates = {
            id: [back for back in backs if self._may_reverse(back, rows)]
            for id, rows in self.found.items()
            if is_reversed(self.gifts[id]) and net(rows)
        }
        wanted: dict[int, int] = defaultdict(int)
        for rows in candidates.values():
            for row in rows:
                wanted[row["id"]] += 1
        for id, rows in candidates.items():
            parts = [cents(row["amount"]) for row in self.found[id]]
            is_sum = len(rows) == 1 and -net(rows) == sum(parts)
            is_one_each = all(
                sum(row["amount"] == one["amount"] for row in rows) <= parts.count(-cents(one["amount"]))
                for one in rows
            )
            if rows and all(wanted[row["id"]] == 1 for row in rows) and (is_sum or is_one_each):
                self._take(id, rows)
            elif rows:
                self.unclear.add(id)
        self.orphans |= {
            str(row["id"])
            for row in backs
            if row["id"] in self.left and row["id"] not in wanted and self.reading.pair(row) is not None
        }

    def _may_reverse(self, back: Row, rows: list[Row]) -> bool:
        amounts = {cents(row["amount"]) for row in rows if not is_back(row)} | {net(rows)}
        contacts = set().union(*(self.contacts(row) for row in rows))
        is_here = bool(self.contacts(back) & contacts)
        return is_here and -cents(back["amount"]) in amounts and day(back) >= min(map(day, rows)) - DAY

    def _moved_gifts(self) -> None:
        near: dict[int, list[Row]] = {}
        for id, rows in self.found.items():
            gift = self.gifts[id]
            contact = self.reading.contact_of(gift["donorId"])
            if is_settled(gift) and any(map(is_back, rows)) and net(rows) == 0 and contact is not None:
                near[id] = [
                    row
                    for row in self._usable()
                    if contact in self.contacts(row) and row["amount"] == gift["amount"] and days_apart(gift, row) <= 1
                ]
        unique = self._unique(near)
        self.unclear |= {id for id, rows in near.items() if rows} - {id for id, _ in unique}
        for id, row in unique:
            self._take(id, [row])

    # What is compared

    def contacts(self, row: Row) -> set[int | None]:
        given = [row["contactPassthroughId"], *(one["contactId"] for one in row["giftPassthroughs"])]
        return {self.reading.resolve(id) for id in (row["contactId"], *given) if id is not None}

    def status(self, gift: Row) -> str:
        rows = self.found.get(gift["id"], [])
        if gift["isTestMode"]:
            return "test_mode"
        if not rows:
            return self.reading.without_match(gift) if is_settled(gift) else "not_expected"
        if gift["id"] in self.unclear:
            return "not_assessable"
        amount, factor = cents(gift["amount"]), 1.0
        if any(row["currencyCode"] != gift["currency"] for row in rows):
            exchange = gift["projects"][0]["currencyExchange"]
            if exchange is None:
                return "not_assessable"
            amount = sum(money(part["currencyExchange"]["baseAmount"]) for part in gift["projects"])
            factor = rows[0]["exchangeRate"]
        return self._compared(gift, rows, amount, round(net(rows) * factor))

    def _compared(self, gift: Row, rows: list[Row], amount: int, total: int) -> str:
        forth, left = [row for row in rows if not is_back(row)], self._left_of(rows)
        expected = 0 if is_reversed(gift) else amount
        if is_reversed(gift) and total != 0:
            return "refund_not_reversed"
        if is_settled(gift) and len(forth) < len(rows) and total == 0:
            return "reversal_without_refund"
        if sum(cents(row["amount"]) == amount for row in forth) > 1 and total > expected:
            return "duplicate"
        if total != expected and total - expected not in self._costs(gift, rows, total - expected):
            return "amount_mismatch"
        contact = self.reading.contact_of(gift["donorId"])
        if contact is not None and any(contact not in self.contacts(row) for row in left):
            return "contact_mismatch"
        if any(days_apart(gift, row) > 1 for row in left):
            return "date_mismatch"
        if len(left) > 1:
            return "matched_split"
        return "matched" if total == expected else "matched_with_costs"

    @staticmethod
    def _left_of(rows: list[Row]) -> list[Row]:
        """The gifts on contacts where something is left; all of them where everything was taken back."""
        by_contact: dict[int, list[Row]] = defaultdict(list)
        for row in rows:
            by_contact[row["contactId"]].append(row)
        left = [row for of_contact in by_contact.values() if net(of_contact) for row in of_contact if not is_back(row)]
        return left or [row for row in rows if not is_back(row)]

    @staticmethod
    def _costs(gift: Row, rows: list[Row], surplus: int) -> set[int]:
        parts = [part for row in rows for part in row["giftDesignations"]]
        named = [part for part in parts if {part["project"].lower(), part["projectCode"].lower()} & COSTS]
        costs = {sum(cents(part["amountDesignated"]) for part in named)}
        if gift["donorPaidCosts"]:
            allocated = [part for part in gift["projects"] if part["name"].lower() in COSTS]
            costs.add(sum(money(part["amount"]) for part in allocated))
            if not allocated and sum(cents(part["amountDesignated"]) == surplus for part in parts) == 1:
                costs.add(surplus)
        return costs - {0}
