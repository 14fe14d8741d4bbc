"""How CRM+ prints its gifts."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from . import money
from .clock import DAY, culture_day, midnight
from .crm_plus_rows import audit, contact_item, contact_name, contact_type, encoded_rest, encoded_row
from .world.records import CrmGift

if TYPE_CHECKING:
    from .world.state import World

REVERSING = "Reversing Transaction"
COSTS_PROJECT_ID = 90
"""The project whose code is CREDITCARDCOSTS; that of the code ProcessingFee follows it."""


_GIFT = encoded_rest(
    {
        "segmentId": None,
        "segment": None,
        "segmentCode": None,
        "segmentUrl": None,
        "mediaOutletId": None,
        "mediaOutlet": None,
        "grantId": None,
        "grant": None,
        "grantUrl": None,
        "notes": "",
        "tribute": None,
        "tributeId": None,
        "tributeType": None,
        "acknowledgeeIndividualId": None,
        "isAcknowledgedGift": False,
        "acknowledgementDate": None,
        "acknowledgementNotes": "",
        "contactIndividualId": None,
        "cashAccountingCode": None,
        "giftAskId": None,
        "contactMembershipId": None,
        "giftPremiums": [],
        "pledgePayments": [],
        "recurringGiftPayments": [],
        "isPrivate": False,
        "isTaxDeductible": True,
        "customFields": [],
    }
)


def gift_item(gift: CrmGift) -> dict[str, Any]:
    """A gift in the abbreviated form: money and dates as text, no transaction ids."""
    return {
        "id": gift.id,
        "contactId": gift.contact_id,
        "contactIndividualId": None,
        "giftType": gift.kind,
        "giftDate": culture_day(gift.day),
        "amount": money.text(gift.cents, gift.currency),
        "segment": None,
        "batch": None,
        "giftUrl": f"/api/Gift/{gift.id}",
        "culture": "en-US",
        "exchangeRate": gift.rate,
        "currencyCode": gift.currency,
        "baseCurrencyCode": "USD",
    }


def gift_batch(gift: CrmGift) -> str | None:
    """The batch that a gift was imported in."""
    return f"{culture_day(gift.day)} - Raise" if gift.source else None


def receipt_day(gift: CrmGift) -> int | None:
    """The day of the receipt, where there is one."""
    return None if gift.id % 3 else gift.day + 1


def designation_shares(gift: CrmGift) -> list[tuple[int, int]]:
    """Project id and cents of each part of a gift."""
    rest = gift.cents - gift.costs
    shares = [(gift.project_id, rest)]
    if gift.second_project_id:
        first = rest // 3
        shares = [(gift.project_id, first), (gift.second_project_id, rest - first)]
    if gift.costs:
        shares.append((gift.costs_project_id, gift.costs))
    return shares


@lru_cache(maxsize=100_000)
def _designation_rest(project: tuple[int, str, str], cents: int, currency: str) -> bytes:
    id, name, code = project
    return encoded_rest(
        {
            "projectId": id,
            "project": name,
            "projectCode": code,
            "externalAccountingCode": None,
            "projectType": "Program",
            "projectLocation": "",
            "projectUrl": f"/api/Project/{id}",
            "amountDesignated": money.number(cents),
            "display": f"{name}: {money.text(cents, currency)}",
        }
    )


def _designation(world: World, gift: CrmGift, number: int, project_id: int, cents: int) -> orjson.Fragment:
    project = world.crm_projects[project_id]
    rest = _designation_rest((project.id, project.name, project.code), cents, gift.currency)
    return orjson.Fragment(b'{"id":%d,%b' % (gift.id * 10 + number, rest))


def designations(world: World, gift: CrmGift) -> list[orjson.Fragment]:
    """The parts of a gift, encoded."""
    return [
        _designation(world, gift, number, project_id, cents)
        for number, (project_id, cents) in enumerate(designation_shares(gift))
    ]


def passthrough_contacts(gift: CrmGift) -> set[int]:
    """The contacts who gave through the contact of the gift."""
    whole = {gift.passthrough_id} if gift.passthrough_id is not None else set()
    return whole | {contact_id for contact_id, _cents in gift.passthroughs}


def _passthrough(world: World, contact_id: int, cents: int) -> dict[str, Any]:
    contact = world.contacts.get(contact_id)
    return {
        "contactId": contact_id,
        "passthroughContact": contact_item(contact) if contact else None,
        "amount": money.number(cents),
    }


def crm_gift_row(world: World, gift: CrmGift) -> bytes:
    """A full gift; some keys are there only for some kinds of gift."""
    id, receipt, through = gift.id, receipt_day(gift), gift.passthrough_id
    contact = world.contacts.get(gift.contact_id)
    fields: dict[str, Any] = {
        "id": id,
        "transactionSource": gift.source,
        "transactionId": gift.transaction_id,
        "contactId": gift.contact_id,
        "contactName": contact_name(contact) if contact else "",
        "contactUrl": f"/api/Contact/{gift.contact_id}",
        "giftType": gift.kind,
        "giftTypeFormatted": gift.kind,
        "giftDate": midnight(gift.day),
        "giftDateFormatted": culture_day(gift.day),
        "amount": money.number(gift.cents),
        "amountFormatted": money.text(gift.cents, gift.currency),
        "currencyCode": gift.currency,
        "exchangeRate": gift.rate,
        "baseCurrencyCode": "USD",
        "batch": gift_batch(gift),
        **audit(gift.created, gift.modified, id),
        "receiptDate": None if receipt is None else midnight(receipt),
        "receiptDateFormatted": "" if receipt is None else culture_day(receipt),
        "contactPassthroughId": through,
        "contactPassthroughUrl": None if through is None else f"/api/Contact/{through}",
        "giftPassthroughs": [_passthrough(world, id, cents) for id, cents in gift.passthroughs],
        "giftDesignations": designations(world, gift),
        "giftUrl": f"/api/Gift/{id}",
    }
    if gift.kind == "Credit":
        fields["creditCardType"] = "Visa"
    if gift.kind == REVERSING:
        fields["reversedGiftId"] = gift.reversed_id
    return encoded_row(fields, _GIFT)


def designation_row(world: World, gift: CrmGift, number: int) -> dict[str, Any]:
    """One part of a gift as GiftDesignation/Query prints it."""
    project_id, cents = designation_shares(gift)[number]
    project = world.crm_projects[project_id]
    contact = world.contacts.get(gift.contact_id)
    return {
        "id": gift.id * 10 + number,
        "createDate": culture_day(gift.created // DAY),
        "amountDesignated": money.number(cents),
        "giftId": gift.id,
        "giftDate": culture_day(gift.day),
        "giftType": gift.kind,
        "giftIsPrivate": False,
        "giftCustomFields": {},
        "giftUrl": f"/api/Gift/{gift.id}",
        "contactId": gift.contact_id,
        "contactName": contact_name(contact) if contact else "",
        "contactType": contact_type(contact) if contact else "",
        "contactUrl": f"/api/Contact/{gift.contact_id}",
        "projectId": project_id,
        "project": project.name,
        "projectCode": project.code,
        "projectExternalAccountingCode": None,
        "projectType": "Program",
        "projectLocation": "",
        "projectCustomFields": {},
        "projectUrl": f"/api/Project/{project_id}",
        "parentProjectId": None,
        "parentProject": None,
        "parentProjectCode": None,
        "parentProjectExternalAccountingCode": None,
        "parentProjectType": None,
        "parentProjectLocation": None,
        "parentProjectCustomFields": None,
        "parentProjectUrl": None,
        "batch": None,
        "segmentName": None,
        "segmentCode": None,
    }
