"""How CRM+ prints its records."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from . import money
from .clock import DAY, HOUR, START, culture_day, midnight, seconds, utc_stamp, with_fraction
from .world.records import Contact, CrmCampaign, CrmGift, CrmSchedule, Project

if TYPE_CHECKING:
    from .world.state import World

REVERSING = "Reversing Transaction"
COSTS_PROJECT_ID = 90
"""The project whose code is CREDITCARDCOSTS."""


def _rest(constant: dict[str, Any]) -> bytes:
    """The end of an encoded row: what is the same in every row of its kind."""
    return orjson.dumps(constant)[1:]


def _row(fields: dict[str, Any], rest: bytes) -> bytes:
    """A row from what is its own and what is always the same; encoding both anew takes several times as long."""
    return orjson.dumps(fields)[:-1] + b"," + rest


def _audit(created: int, modified: int, key: int) -> dict[str, Any]:
    return {
        "createDateTimeUtc": utc_stamp(created, key),
        "createdByUser": "Integration User",
        "modifiedDateTimeUtc": utc_stamp(modified, key + 3),
        "modifiedByUser": "Integration User" if key % 5 else "Sam Sample",
    }


def contact_name(contact: Contact) -> str:
    """The display name of a household."""
    return f"{contact.first} {contact.last}" if contact.id % 6 else f"{contact.first} & Robin {contact.last}"


def contact_type(contact: Contact) -> str:
    """Household for nearly everyone."""
    return "Organization" if contact.id % 43 == 0 else "Household"


def contact_item(contact: Contact) -> dict[str, Any]:
    """A contact in the abbreviated form: no dates, no references."""
    return {
        "id": contact.id,
        "name": contact_name(contact),
        "contactType": contact_type(contact),
        "contactName": contact_name(contact),
        "address": f"{contact.id % 900} Sample Street Mesa, AZ 85201",
        "email": contact.email,
        "phone": None,
        "contactViewUrl": f"/Generosity/Contact/View/{contact.id}",
    }


_METHOD = _rest(
    {
        "type": "Home Email",
        "isOptedIn": True,
        "isPrimary": True,
        "canBePrimary": True,
        "createdByUser": "Integration User",
        "modifiedByUser": "Integration User",
    }
)
_INDIVIDUAL = _rest(
    {
        "prefix": "",
        "prefix2": None,
        "middleName": None,
        "preMarriageName": None,
        "suffix": None,
        "nickname": None,
        "gender": "",
        "isPrimary": True,
        "canBePrimary": True,
        "isSecondary": False,
        "canBeSecondary": True,
        "birthMonth": None,
        "birthDay": None,
        "birthYear": None,
        "birthDate": "",
        "approximateAge": None,
        "isDeceased": False,
        "deceasedDate": "",
        "passion": None,
        "avatarUrl": None,
        "createdByUser": "Integration User",
        "modifiedByUser": "Integration User",
        "customFields": [],
        "customCollections": [],
    }
)
_ADDRESS = _rest(
    {
        "label": "Home",
        "address2": None,
        "city": "Mesa",
        "state": "",
        "postal": "85201",
        "country": "",
        "isPrimary": True,
        "canBePrimary": True,
        "startMonth": 1,
        "startDay": 1,
        "endMonth": 12,
        "endDay": 31,
        "createdByUser": "Integration User",
        "modifiedByUser": "Integration User",
    }
)
_CONTACT = _rest(
    {
        "isPrivate": False,
        "alternateContactName": None,
        "preferredAddresseeName": None,
        "nameFieldsLocked": False,
        "description": None,
        "website": None,
        "maritalStatus": None,
        "anniversaryMonth": None,
        "anniversaryDay": None,
        "anniversaryYear": None,
        "giftAskType": None,
        "yearToDateGiving": "$0",
        "primaryAvatarUrl": None,
        "originSegmentId": None,
        "originSegment": None,
        "createdByUser": "Integration User",
        "modifiedByUser": "Integration User",
        "organizationGroups": [],
        "customCollections": [],
    }
)
_GIFT = _rest(
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
        "contactPassthroughId": None,
        "contactPassthroughUrl": None,
        "contactIndividualId": None,
        "cashAccountingCode": None,
        "giftAskId": None,
        "contactMembershipId": None,
        "giftPremiums": [],
        "pledgePayments": [],
        "recurringGiftPayments": [],
        "giftPassthroughs": [],
        "isPrivate": False,
        "isTaxDeductible": True,
        "customFields": [],
    }
)


def individual_row(contact: Contact) -> bytes:
    """The one person of a contact. Nested stamps carry more digits than those of the contact itself."""
    id = individual_id(contact)
    created, modified = with_fraction(contact.created, 7), with_fraction(contact.modified, 7)
    method = {
        "id": id * 2,
        "value": contact.email,
        "createDateTimeUtc": created,
        "modifiedDateTimeUtc": with_fraction(contact.modified, 2),
    }
    fields = {
        "id": id,
        "contactId": contact.id,
        "firstName": contact.first,
        "lastName": contact.last,
        "contactMethods": [orjson.Fragment(_row(method, _METHOD))],
        "createDateTimeUtc": created,
        "modifiedDateTimeUtc": modified,
    }
    return _row(fields, _INDIVIDUAL)


def individual_id(contact: Contact) -> int:
    """Individuals are numbered apart from contacts."""
    return contact.id + 2_000_000


def contact_row(world: World, contact: Contact) -> bytes:
    """A full contact. Whether it says that it is archived is an option of the world."""
    id = contact.id
    address = {
        "id": id * 2,
        "address1": f"{id % 900} Sample Street",
        "createDateTimeUtc": with_fraction(contact.created, 2),
        "modifiedDateTimeUtc": with_fraction(contact.modified, 7),
    }
    fields: dict[str, Any] = {
        "id": id,
        "contactType": contact_type(contact),
        "name": contact_name(contact),
        "informalName": contact.first,
        "formalContactName": f"{contact.first} {contact.last}",
        "preferredSalutationName": contact.first,
        "mergedIntoContactId": contact.merged_into,
        "address": orjson.Fragment(_row(address, _ADDRESS)),
        "giftAskAmount": "$1,200" if id % 7 == 0 else "$0",
        "lifeToDateGiving": money.short_text(id % 900 * 1_050),
        "lastGiftAmount": money.short_text(id % 90 * 1_000),
        "lastGiftDate": culture_day(contact.modified // DAY) if id % 4 else "Unavailable",
        "contactIndividuals": [orjson.Fragment(individual_row(contact))],
        "contactGiftsUrl": f"/api/Gift/ByContact/{id}",
        "contactPassthroughGiftsUrl": f"/api/Gift/Passthrough/ByContact/{id}",
        "contactPlannedGiftsUrl": f"/api/PlannedGift/ByContact/{id}",
        "contactRecurringGiftsUrl": f"/api/RecurringGift/ByContact/{id}",
        "contactImportantNotesUrl": f"/api/ContactNote/Important/ByContact/{id}",
        "contactNotesUrl": f"/api/ContactNote/ByContact/{id}",
        "contactTagsUrl": f"/api/ContactTag/ByContact/{id}",
        "contactRelationshipsUrl": f"/api/Relationship/ByContact/{id}",
        "contactReferences": [{"source": source, "id": reference} for source, reference in contact.references],
        "createDateTimeUtc": utc_stamp(contact.created, id),
        "modifiedDateTimeUtc": utc_stamp(contact.modified, id),
        "tags": ["Newsletter"] if id % 5 == 0 else [],
        "customFields": [{"name": "Shirt Size", "value": "None", "displayName": None}] if id % 8 == 0 else [],
    }
    if world.options.contacts_show_archived:
        fields["isArchived"] = contact.is_archived
    return _row(fields, _CONTACT)


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


def designation_shares(gift: CrmGift) -> list[tuple[int, int]]:
    """Project id and cents of each part of a gift."""
    rest = gift.cents - gift.costs
    shares = [(gift.project_id, rest)]
    if gift.second_project_id:
        first = rest // 3
        shares = [(gift.project_id, first), (gift.second_project_id, rest - first)]
    if gift.costs:
        shares.append((COSTS_PROJECT_ID, gift.costs))
    return shares


@lru_cache(maxsize=100_000)
def _designation_rest(project: tuple[int, str, str], cents: int, currency: str) -> bytes:
    id, name, code = project
    return _rest(
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


def crm_gift_row(world: World, gift: CrmGift) -> bytes:
    """A full gift; some keys are there only for some kinds of gift."""
    id = gift.id
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
        "batch": f"{culture_day(gift.day)} - Raise" if gift.source else None,
        **_audit(gift.created, gift.modified, id),
        "receiptDate": None if id % 3 else midnight(gift.day + 1),
        "receiptDateFormatted": "" if id % 3 else culture_day(gift.day + 1),
        "giftDesignations": [
            _designation(world, gift, number, project_id, cents)
            for number, (project_id, cents) in enumerate(designation_shares(gift))
        ],
        "giftUrl": f"/api/Gift/{id}",
    }
    if gift.kind == "Credit":
        fields["creditCardType"] = "Visa"
    if gift.kind == REVERSING:
        fields["reversedGiftId"] = gift.reversed_id
    return _row(fields, _GIFT)


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


def crm_schedule_row(world: World, schedule: CrmSchedule) -> dict[str, Any]:
    """A recurring gift."""
    project = world.crm_projects[schedule.project_id]
    start = midnight(schedule.created // DAY)
    return {
        "id": schedule.id,
        "transactionSource": schedule.source,
        "transactionId": schedule.transaction_id,
        "contactId": schedule.contact_id,
        "recurringGiftDate": start,
        "startDate": start,
        "amount": money.number(schedule.cents),
        "frequency": schedule.frequency,
        "anticipatedEndDate": None,
        "cancelDateTimeUtc": utc_stamp(schedule.cancelled, schedule.id) if schedule.cancelled else None,
        **_audit(schedule.created, schedule.modified, schedule.id),
        "segmentId": None,
        "segment": None,
        "segmentUrl": None,
        "automatedPayments": True,
        "trackPayments": True,
        "isPrivate": False,
        "status": schedule.status,
        "nextExpectedPaymentDate": None
        if schedule.cancelled
        else midnight(max(START, schedule.created) // DAY + 1 + schedule.id % 28),
        "designations": [
            {
                "projectId": project.id,
                "project": project.name,
                "projectUrl": f"/api/Project/{project.id}",
                "amountDesignated": money.number(schedule.cents),
                "projectCode": project.code,
            }
        ],
        "customFields": [],
    }


def crm_project_row(project: Project) -> dict[str, Any]:
    """A full project; here custom fields are a map."""
    return {
        "id": project.id,
        "name": project.name,
        "projectCode": project.code,
        "externalAccountingCode": None,
        "onlineDisplayName": project.name,
        "description": None,
        "photoUrl": None,
        "parentId": None,
        "parentName": None,
        "isSubProject": False,
        "inventoryStatus": None,
        "type": "Program",
        "location": None,
        "isRestrictedToGiftSpecifications": False,
        "isLimitedToFinancialNeed": False,
        "isPublic": True,
        "isActive": True,
        "isAvailableOnline": True,
        "isTaxDeductible": True,
        "treatAsAccountsPayable": False,
        "beginningBalance": 0.0,
        "currentBalance": 12_345.67,
        "financialNeedType": None,
        "financialNeedFrequency": None,
        "financialNeedAmount": 0.0,
        "startDate": midnight(project.created // DAY),
        "endDate": None,
        "durationType": None,
        "lifeToDateGiving": 12_345.67,
        "lifeToDateGiftCount": 120,
        "lifeToDateGiversCount": 60,
        "lifeToDateExpenseTotal": 0.0,
        "calendarYearToDateGiving": 345.67,
        "calendarYearToDateGiftCount": 12,
        "calendarYearToDateGiversCount": 6,
        "calendarYearToDateExpenseTotal": 0.0,
        "createDateTimeUtc": seconds(project.created),
        "createdByUser": "Sam Sample",
        "modifiedDateTimeUtc": seconds(project.created + HOUR),
        "modifiedByUser": "Sam Sample",
        "giftSpecifications": [],
        "customFields": {},
    }


def crm_campaign_row(campaign: CrmCampaign) -> dict[str, Any]:
    """A campaign; its key is called `campaignId`."""
    return {
        "campaignId": campaign.id,
        "name": campaign.name,
        "startDateTimeUtc": seconds(campaign.created),
        "endDateTimeUtc": None,
        "givingGoal": 50_000.0,
        "newGiverGoal": 100,
        "totalGiftGoal": 500,
        "isArchived": campaign.is_archived,
    }
