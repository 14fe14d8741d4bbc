"""How CRM+ prints its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from . import money
from .clock import DAY, HOUR, START, culture_day, midnight, seconds, utc_stamp, with_fraction
from .world.records import Contact, CrmCampaign, CrmSchedule, Project

if TYPE_CHECKING:
    from .world.state import World


def encoded_rest(constant: dict[str, Any]) -> bytes:
    """The end of an encoded row: what is the same in every row of its kind."""
    return orjson.dumps(constant)[1:]


def encoded_row(fields: dict[str, Any], rest: bytes) -> bytes:
    """A row from what is its own and what is always the same; encoding both anew takes several times as long."""
    return orjson.dumps(fields)[:-1] + b"," + rest


def audit(created: int, modified: int, key: int) -> dict[str, Any]:
    """When and by whom a record was made and changed."""
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


def contact_tags(contact: Contact) -> list[str]:
    """The tags of a contact."""
    return ["Newsletter"] if contact.id % 5 == 0 else []


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


_METHOD = encoded_rest(
    {
        "type": "Home Email",
        "isOptedIn": True,
        "isPrimary": True,
        "canBePrimary": True,
        "createdByUser": "Integration User",
        "modifiedByUser": "Integration User",
    }
)
_INDIVIDUAL = encoded_rest(
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
_ADDRESS = encoded_rest(
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
_CONTACT = encoded_rest(
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
        "contactMethods": [orjson.Fragment(encoded_row(method, _METHOD))],
        "createDateTimeUtc": created,
        "modifiedDateTimeUtc": modified,
    }
    return encoded_row(fields, _INDIVIDUAL)


def individual_id(contact: Contact) -> int:
    """Individuals are numbered apart from contacts."""
    return contact.id + 2_000_000


def address_row(contact: Contact) -> bytes:
    """The primary address of a contact."""
    fields = {
        "id": contact.id * 2,
        "address1": f"{contact.id % 900} Sample Street",
        "createDateTimeUtc": with_fraction(contact.created, 2),
        "modifiedDateTimeUtc": with_fraction(contact.modified, 7),
    }
    return encoded_row(fields, _ADDRESS)


def contact_row(world: World, contact: Contact) -> bytes:
    """A full contact. Whether it says that it is archived is an option of the world."""
    id = contact.id
    fields: dict[str, Any] = {
        "id": id,
        "contactType": contact_type(contact),
        "name": contact_name(contact),
        "informalName": contact.first,
        "formalContactName": f"{contact.first} {contact.last}",
        "preferredSalutationName": contact.first,
        "mergedIntoContactId": contact.merged_into,
        "address": orjson.Fragment(address_row(contact)),
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
        "tags": contact_tags(contact),
        "customFields": [{"name": "Shirt Size", "value": "None", "displayName": None}] if id % 8 == 0 else [],
    }
    if world.options.contacts_show_archived:
        fields["isArchived"] = contact.is_archived
    return encoded_row(fields, _CONTACT)


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
        **audit(schedule.created, schedule.modified, schedule.id),
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
