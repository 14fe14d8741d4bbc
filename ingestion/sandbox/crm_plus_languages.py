"""What each resource of CRM+ can be asked: its parameters and sort keys."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .crm_plus_gift_rows import designation_shares, gift_batch, receipt_day
from .crm_plus_query import Language, Parameter, day_parameter
from .crm_plus_rows import contact_name, contact_tags, contact_type, individual_id
from .money import number
from .table import Table
from .world.records import Contact, CrmGift, Project

_STAMP_KEYS: dict[str, Callable[[Any], Any]] = {
    "createdatetimeutc": lambda row: row.created,
    "createddatetime": lambda row: row.created,
    "modifieddatetimeutc": lambda row: row.modified,
    "lastmodifieddate": lambda row: row.modified,
}


def _stamps() -> dict[str, Parameter]:
    return {
        "Create Date": day_parameter(lambda row: row.created),
        "Last Modified Date": day_parameter(lambda row: row.modified),
        "Create DateTime UTC": Parameter("Date", lambda row: row.created),
        "Last Modified DateTime UTC": Parameter("Date", lambda row: row.modified),
    }


def _pair() -> dict[str, Parameter]:
    return {
        "Transaction Source": Parameter("String", lambda row: row.source),
        "Transaction Id": Parameter("String", lambda row: row.transaction_id),
    }


def _is_archived(contacts: Table[Contact]) -> Parameter:
    def get(row: Any) -> bool:
        contact = contacts.get(row.contact_id)
        return contact is not None and contact.is_archived

    return Parameter("Boolean", get)


def contact_language() -> Language:
    """Of contacts."""
    return Language(
        "Contact Id",
        {
            "Contact Id": Parameter("Int", lambda row: row.id),
            **_stamps(),
            "Contact Name": Parameter("String", contact_name),
            "Contact Type": Parameter("List", contact_type),
            "Email Address": Parameter("String", lambda row: row.email),
            "Tag": Parameter("List", lambda row: tuple(contact_tags(row))),
        },
        {**_STAMP_KEYS, "name": contact_name, "lastname": lambda row: row.last},
    )


def individual_language() -> Language:
    """Of the persons of contacts."""
    return Language(
        "Contact Individual Id",
        {
            "Contact Individual Id": Parameter("Int", individual_id),
            "Contact Id": Parameter("Int", lambda row: row.id),
            **_stamps(),
            "Email Address": Parameter("String", lambda row: row.email),
        },
        {**_STAMP_KEYS, "lastname": lambda row: row.last},
    )


def _gift_parameters() -> dict[str, Parameter]:
    return {
        "Gift Id": Parameter("Int", lambda row: row.id),
        "Contact Id": Parameter("Int", lambda row: row.contact_id),
        **_pair(),
        **_stamps(),
        "Gift Type": Parameter("List", lambda row: row.kind),
        "Gift Date": Parameter("Date", lambda row: row.day, day_only=True),
    }


def _receipt_day(gift: CrmGift) -> float:
    """Compares with nothing where there is no receipt."""
    day = receipt_day(gift)
    return math.nan if day is None else day


def gift_language(contacts: Table[Contact], projects: Table[Project]) -> Language:
    """Of gifts."""

    def project(attribute: str) -> Parameter:
        return Parameter(
            "List", lambda row: tuple(getattr(projects[id], attribute) for id, _cents in designation_shares(row))
        )

    return Language(
        "Gift Id",
        {
            **_gift_parameters(),
            "Amount": Parameter("Decimal", lambda row: number(row.cents)),
            "Currency Code": Parameter("List", lambda row: row.currency),
            "Contact Archived": _is_archived(contacts),
            "Batch": Parameter("String", gift_batch),
            "Receipt Date": Parameter("Date", _receipt_day, day_only=True),
            "Project Name": project("name"),
            "Project Code": project("code"),
            "Notes": Parameter("String", lambda _row: ""),
            "Private": Parameter("Boolean", lambda _row: False),
            "Has Attachment": Parameter("Boolean", lambda _row: False),
        },
        {
            **_STAMP_KEYS,
            "amount": lambda row: row.cents,
            "giftdate": lambda row: row.day,
            "receiptdate": lambda row: row.day,
            "batch": lambda row: row.day,
        },
    )


def designation_language() -> Language:
    """Of the parts of gifts."""
    return Language("Gift Id", _gift_parameters())


def schedule_language(contacts: Table[Contact]) -> Language:
    """Of recurring gifts."""
    return Language(
        "Recurring Gift Id",
        {
            "Recurring Gift Id": Parameter("Int", lambda row: row.id),
            "Contact Id": Parameter("Int", lambda row: row.contact_id),
            **_pair(),
            **_stamps(),
            "Amount": Parameter("Decimal", lambda row: number(row.cents)),
            "Frequency": Parameter("List", lambda row: row.frequency),
            "Contact Archived": _is_archived(contacts),
        },
        _STAMP_KEYS,
    )


def project_language() -> Language:
    """Of projects."""
    return Language(
        "Project Id",
        {
            "Project Id": Parameter("Int", lambda row: row.id),
            "Project Name": Parameter("String", lambda row: row.name),
            "Project Code": Parameter("String", lambda row: row.code),
            "Create Date": day_parameter(lambda row: row.created),
            "Active": Parameter("Boolean", lambda _row: True),
        },
        {"name": lambda row: row.name},
    )


def campaign_language() -> Language:
    """Of campaigns."""
    return Language(
        "Campaign Id",
        {
            "Campaign Id": Parameter("Int", lambda row: row.id),
            "Campaign Name": Parameter("String", lambda row: row.name),
        },
        {"name": lambda row: row.name},
    )
