"""How Raise prints its gifts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from . import money
from .clock import ORGANIZATION_OFFSET, seconds, varied
from .raise_rows import GATEWAYS, TENDERS, address_block, encode, shown_campaign
from .world.records import APPROVED, GIFT_STATES, Gift

if TYPE_CHECKING:
    from .world.state import World

_ADDRESSES = [encode(address_block(key)).decode() for key in range(240)]
_BROWSERS = [
    encode({"name": name, "version": f"{90 + n}.0", "platform": platform, "isMobile": mobile}).decode()
    for n, (name, platform, mobile) in enumerate(
        [
            ("Chrome", "Windows", False),
            ("Safari", "iPhone", True),
            ("Firefox", "Linux", False),
            ("Edge", "Windows", False),
        ]
    )
]
_UTM = '"utmSource":"newsletter","utmMedium":"email","utmCampaign":null,"utmTerm":null,"utmContent":null'
_NO_UTM = '"utmSource":null,"utmMedium":null,"utmCampaign":null,"utmTerm":null,"utmContent":null'
_TRIBUTE = '{"type":"In Honor Of","honoree":"A. Friend"}'
_NO_GATEWAY, _NO_DONOR = '"gateway":null', '"donor":null'


@lru_cache(maxsize=100_000)
def _allocation(project_id: int, name: str, cents: int, currency: str, rate: float, shows_base: bool) -> str:
    exchange = None
    if shows_base:
        base = money.text(round(cents * rate))
        exchange = {
            "nativeAmount": money.text(cents, currency),
            "nativeCurrencyCode": currency,
            "settledExchangeRate": rate,
            "settledAmount": base,
            "settledCurrencyCode": "USD",
            "baseExchangeRate": rate,
            "baseAmount": base,
            "baseCurrencyCode": "USD",
            "isDifferentCurrency": currency != "USD",
        }
    amount = money.text(cents, currency)
    row = {"projectId": project_id, "name": name, "amount": amount, "currencyExchange": exchange}
    return encode(row).decode()


def _projects(world: World, gift: Gift) -> str:
    parts = [(gift.project_id, gift.cents)]
    if gift.second_project_id:
        first = gift.cents // 3
        parts = [(gift.project_id, first), (gift.second_project_id, gift.cents - first)]
    if gift.costs_project_id:
        parts.append((gift.costs_project_id, gift.costs))
    rows = [
        _allocation(id, world.projects[id].name, cents, gift.currency, gift.rate, gift.shows_base)
        for id, cents in parts
    ]
    return rows[0] if len(rows) == 1 else ",".join(rows)


@lru_cache(maxsize=10_000)
def _money_part(cents: int, currency: str) -> str:
    return f'"currency":"{currency}","amount":{cents / 100},"formattedAmount":"{money.text(cents, currency)}"'


@lru_cache(maxsize=1_000)
def _state_part(state: int, odd_case: bool, has_costs: bool) -> str:
    label = GIFT_STATES[state]
    return (
        f'"status":{state},"statusText":"{label.lower() if odd_case else label}",'
        f'"canRefund":{_boolean(state == APPROVED)},"donorPaidCosts":{_boolean(has_costs)},"giftAidRequested":false'
    )


@lru_cache(maxsize=10_000)
def _campaign_part(shown: tuple[int | None, int | None, str, str, str]) -> str:
    campaign_id, segment_id, campaign_name, segment_code, segment_name = shown
    return (
        f'"segment":"{segment_code}","campaignName":"{campaign_name}","campaignId":{campaign_id or "null"},'
        f'"segmentName":"{segment_name}","segmentId":{segment_id or "null"}'
    )


_CYCLE = 36
"""What is of no consequence about a gift repeats with its id."""


@lru_cache(maxsize=1_000)
def _payment_part(step: int) -> str:
    tender, payment_type, card = TENDERS[step % 4]
    gateway_id = GATEWAYS[step % 3][0]
    motivation = "null" if step % 3 else f'"MOT{step % 12}"'
    return (
        f'{_NO_GATEWAY},"gatewayId":{gateway_id},"paymentType":"{payment_type}",'
        f'"tenderType":{tender},"motivation":{motivation},"motivationCodeId":null,"sourceCode":null,"notes":null,'
        f'"comment":{_text(None if step % 23 else "with thanks")},"paymentInfo":"{card}'
    )


@lru_cache(maxsize=1_000)
def _rest_part(step: int, is_test: bool, organization_id: int) -> str:
    return (
        f'"submissionUrl":"https://give.example.org/{step % 9}?utm_source=newsletter",'
        f'"browserInfo":{_BROWSERS[step % 4]},"isAnonymous":{_boolean(step == 29)},'
        f'"isTestMode":{_boolean(is_test)},"googleGclid":null,'
        f'{_NO_UTM if step % 4 else _UTM},"tribute":{_TRIBUTE if step == 31 else "null"},"premium":null,'
        f'"pageId":{600 + step % 9},"pageName":"Donation Page {step % 9}","virtualTerminalId":null,'
        f'"organizationId":{organization_id},"isImported":false'
    )


def _text(value: str | None) -> str:
    """A JSON string, of words that need no escape."""
    return "null" if value is None else f'"{value}"'


def _boolean(value: bool) -> str:
    return "true" if value else "false"


def gift_json(world: World, gift: Gift) -> bytes:
    """A GiftModel of 56 fields, without the details.

    Put together from parts that are kept: a million of these are read in one go, and a dict and a serializer take
    several times as long.
    """
    id = gift.id
    step = id % _CYCLE
    donor = world.donors.get(gift.donor_id)
    name = f"{donor.first} {donor.last}" if donor else "Former Donor"
    address = _ADDRESSES[gift.donor_id % 240]
    created = varied(gift.created, id)
    modified = created if gift.modified == gift.created else varied(gift.modified, id)
    return (
        f'{{"id":{id},{_money_part(gift.cents, gift.currency)},'
        f'"date":"{seconds(gift.created + ORGANIZATION_OFFSET)}{"" if id % 19 else "-07:00"}",'
        f'"createdDate":"{created}","modifiedDate":"{modified}",'
        f"{_state_part(gift.state, id % 67 == 0, gift.costs > 0)},{_campaign_part(shown_campaign(world, gift))},"
        f'{_payment_part(step)}{id % 9973:04d}","authorizationNumber":"A{id:07d}",'
        f'"transactionId":"ch_sandbox_{id * 7919:x}","donationId":"D-{id * 13:08d}",'
        f'"paymentProviderTransactionUrl":"https://payments.example.com/{id * 7919:x}",'
        f'"donorId":{gift.donor_id},{_NO_DONOR},"recurringGiftId":{gift.recurring_id or "null"},'
        f'"billingName":"{name}","shippingName":"{name}","billingAddress":{address},"shippingAddress":{address},'
        f'"projects":[{_projects(world, gift)}],{_rest_part(step, gift.is_test, world.tenant.raise_id)}}}'
    ).encode()


def with_details(world: World, gift: Gift, row: bytes) -> bytes:
    """The row of a gift with donor and gateway filled in."""
    gateway = f'"gateway":"{GATEWAYS[gift.id % _CYCLE % 3][1]}"'
    row = row.replace(_NO_GATEWAY.encode(), gateway.encode(), 1)
    if donor := world.donors.get(gift.donor_id):
        name = f"{donor.first} {donor.last}"
        block = encode({"id": donor.id, "name": name, "email": donor.email, "crmKey": donor.crm_key})
        row = row.replace(_NO_DONOR.encode(), b'"donor":' + block, 1)
    return row


def gift_row(world: World, gift: Gift) -> dict[str, Any]:
    """A gift with details, as a dict."""
    row: dict[str, Any] = orjson.loads(with_details(world, gift, gift_json(world, gift)))
    return row


_COLUMNS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Id": lambda row: row["id"],
    "Date": lambda row: row["date"],
    "Project(s)": lambda row: ", ".join(part["name"] for part in row["projects"]),
    "Amount": lambda row: row["formattedAmount"],
    "Tender Type Info": lambda row: row["paymentInfo"],
    "Donor Id": lambda row: row["donorId"],
    "Donor First Name": lambda row: row["billingName"].partition(" ")[0],
    "Donor Last Name": lambda row: row["billingName"].partition(" ")[2],
    "Donor Email": lambda row: (row["donor"] or {}).get("email"),
    "Donor Phone": lambda row: None,
    "Billing Address Line 1": lambda row: row["billingAddress"]["address1"],
    "Billing Address Line 2": lambda row: row["billingAddress"]["address2"],
    "Billing Address City": lambda row: row["billingAddress"]["city"],
    "Billing Address State": lambda row: row["billingAddress"]["state"],
    "Billing Address Postal": lambda row: row["billingAddress"]["postal"],
    "Billing Address Country": lambda row: row["billingAddress"]["countryString"],
    "Status": lambda row: row["statusText"],
    "Transaction Id": lambda row: row["transactionId"],
}
GIFT_COLUMNS = frozenset(_COLUMNS)
"""The columns that a query of gifts may select."""


def selected_row(world: World, gift: Gift, columns: Sequence[str]) -> bytes:
    """A gift of which columns were selected: their texts as `metadata`, in the order asked for, and a few members."""
    row = gift_row(world, gift)
    texts = ["" if (value := _COLUMNS[column](row)) is None else str(value) for column in columns]
    return encode({"id": gift.id, "isAnonymous": row["isAnonymous"], "projects": row["projects"], "metadata": texts})
