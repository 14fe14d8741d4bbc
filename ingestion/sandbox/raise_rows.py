"""How Raise prints its records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from . import money
from .clock import DAY, HOUR, START, culture_day, iso_day, iso_z, localized, seconds, varied
from .world.records import (
    BY_IDS,
    BY_NAME,
    CANCELLED,
    COMPLETED,
    NOT_SHOWN,
    SCHEDULE_STATES,
    Campaign,
    Delivery,
    Donor,
    Gift,
    Project,
    Schedule,
    Segment,
    Webhook,
)

if TYPE_CHECKING:
    from .world.state import World


def encode(row: dict[str, Any]) -> bytes:
    """A row as JSON."""
    return orjson.dumps(row)


def address_block(key: int) -> dict[str, Any]:
    """An address, as donors and gifts show it."""
    return {
        "address1": f"{100 + key * 7} Sample Street",
        "address2": "" if key % 3 else f"Unit {key}",
        "city": ("Mesa", "Tempe", "Tucson", "Flagstaff")[key % 4],
        "state": "AZ" if key % 5 else "Arizona",
        "postal": f"85{key % 1000:03d}",
        "countryString": "United States",
        "addressType": key % 6,
        "addressTypeDisplay": ("None", "Home", "Work", "Billing", "Shipping", "Other")[key % 6],
    }


TENDERS = (
    (1, "Credit Card", "Visa x"),
    (1, "Credit Card", "Mastercard x"),
    (2, "ACH", "ACH Checking x"),
    (1, "Credit Card", "Amex x"),
)
GATEWAYS = ((11, "Stripe Main"), (12, "Cornerstone"), (14, "PayPal Commerce"))
_FREQUENCIES = {
    0: "Other",
    1: "Annually",
    2: "Semi-Annually",
    4: "Quarterly",
    12: "Monthly",
    26: "Every Two Weeks",
    52: "Weekly",
    100: "Custom",
}


def _links(types: tuple[str, ...], key: str | None) -> dict[str, Any]:
    hosts = {
        "VirtuousCRM": "app.virtuoussoftware.com/Generosity/Contact/View",
        "Salesforce": "crm.example.com/lightning",
    }
    return {
        type: {"url": f"https://{hosts.get(type, 'crm.example.com')}/{(key or '').strip()}", "displayName": type}
        for type in types
    }


def donor_row(donor: Donor) -> dict[str, Any]:
    """A whole DonorModel."""
    id = donor.id
    is_organization = id % 41 == 0
    name = f"{donor.first} {donor.last}"
    address = {**address_block(id % 240), "id": id * 3, "donorId": id, "isPrimary": True}
    email = _method(donor, id * 5, 10, "Home Email", donor.email)
    phone = _method(donor, id * 5 + 1, 20, "Mobile Phone", f"555-01{id % 100:02d}")
    return {
        "id": id,
        "name": name,
        "title": "Dr." if id % 53 == 0 else None,
        "firstName": donor.first,
        "middleName": None,
        "lastName": donor.last,
        "suffix": None,
        "email": donor.email,
        "phone": phone["value"],
        "createdDate": varied(donor.created, id),
        "modifiedDate": varied(donor.modified, id // 3),
        "notes": None if id % 9 else "prefers e-mail",
        "isOrganization": is_organization,
        "organizationName": f"{donor.last} Bakery" if is_organization else None,
        "crmKey": donor.crm_key,
        "crmSecondKey": f"ET-{id % 5000}" if id % 17 == 0 else None,
        "crmKeyUrls": _links(donor.crm_types, donor.crm_key),
        "isTestMode": donor.is_test,
        "isArchived": donor.is_archived,
        "isGDPRDeleted": donor.is_gdpr_deleted,
        "primaryAddress": address,
        "donorAddresses": [address],
        "donorEmailAddresses": [email],
        "donorPhoneNumbers": [phone],
        "preferredLanguage": "en",
        "avatarUrl": None,
        "timeZone": "US/Arizona",
        "virtuousDonorId": f"00000000-0000-4000-8000-{id:012d}",
    }


def _method(donor: Donor, id: int, type: int, display: str, value: str) -> dict[str, Any]:
    is_email = type < 20
    return {
        "id": id,
        "donorId": donor.id,
        "type": type,
        "typeDisplay": display,
        "value": value,
        "secondaryValue": None,
        "isPrimary": True,
        "isOptedIn": donor.id % 4 != 0,
        "isValid": True,
        "isEmail": is_email,
        "isPhone": not is_email,
        "isBounced": False,
        "countryCode": None if is_email else "US",
    }


def shown_campaign(world: World, row: Gift | Schedule) -> tuple[int | None, int | None, str, str, str]:
    """Campaign id, segment id, campaign name, segment code and segment name, as far as the record shows them."""
    if row.campaign_id is None or row.shown == NOT_SHOWN:
        return None, None, "", "", ""
    campaign = world.campaigns[row.campaign_id]
    name = campaign.name
    if row.shown == BY_NAME:
        odd_name = (f" {name.upper()}", f"{name.lower()}  ", name)[row.id % 3]
        return None, None, odd_name, "", ""
    segment = world.segments[row.segment_id] if row.segment_id is not None else None
    code, segment_name = (segment.code, segment.name) if segment else ("", "")
    return (campaign.id if row.shown == BY_IDS else None), row.segment_id, name, code, segment_name


def schedule_row(world: World, schedule: Schedule) -> dict[str, Any]:
    """A RecurringGiftModel; its stamps are localized text."""
    id = schedule.id
    donor = world.donors.get(schedule.donor_id)
    campaign_id, segment_id, campaign_name, segment_code, segment_name = shown_campaign(world, schedule)
    cycles = max(0, (START - schedule.created) // (DAY * 366 // max(schedule.frequency, 1)))
    ended = schedule.state in (CANCELLED, COMPLETED)
    next_day = max(START, schedule.created) // DAY + 1 + id % 28
    return {
        "id": id,
        "organizationId": world.tenant.raise_id,
        "createdDate": localized(schedule.created),
        "modifiedDate": localized(schedule.modified),
        "profileNumber": f"P{id:08d}",
        "amount": money.number(schedule.cents),
        "currencyCode": "USD",
        "baseCurrencyCode": "USD",
        "formattedAmount": money.text(schedule.cents),
        "donor": donor_row(donor) if donor else None,
        "frequency": schedule.frequency,
        "formattedFrequency": _FREQUENCIES[schedule.frequency],
        "total": money.number(schedule.cents * cycles),
        "formattedTotal": money.text(schedule.cents * cycles),
        "successfulCycles": cycles,
        "startDate": seconds(schedule.created),
        "startDateFormatted": culture_day(schedule.created // DAY),
        "nextChargeDate": None if ended else f"{iso_day(next_day)}T00:00:00",
        "nextChargeDateFormatted": "" if ended else culture_day(next_day),
        "nextChargeDateForEditing": None if ended else iso_day(next_day),
        "status": schedule.state,
        "statusText": SCHEDULE_STATES[schedule.state],
        "gatewayId": GATEWAYS[id % 3][0],
        "gatewayName": GATEWAYS[id % 3][1],
        "paymentInfo": f"{TENDERS[id % 4][2]}{id * 31 % 10_000:04d}",
        "cardExpiration": f"{id % 12 + 1:02d}/{27 + id % 4}",
        "cardBrand": "Visa" if id % 4 == 0 else "Mastercard",
        "paymentMethodCountryCode": "US",
        "projects": [
            {
                "projectId": schedule.project_id,
                "name": world.projects[schedule.project_id].name,
                "amount": money.text(schedule.cents),
                "currencyExchange": None,
            }
        ],
        "isAnonymous": False,
        "isTestMode": schedule.is_test,
        "donorCoverCosts": False,
        "costs": 0.0,
        "motivationCode": None,
        "sourceCode": None,
        "segmentId": segment_id,
        "segmentName": segment_name,
        "segmentCode": segment_code,
        "campaignId": campaign_id,
        "campaignName": campaign_name,
        "hasPaymentFailed": schedule.has_payment_failed,
        "crmKey": schedule.crm_key,
        "crmKeyUrls": _links(("VirtuousCRM",), schedule.crm_key) if schedule.crm_id else {},
        "pageId": 600 + id % 9,
        "timeZone": "US/Arizona",
        "notes": None,
    }


def campaign_row(world: World, campaign: Campaign) -> dict[str, Any]:
    """A CampaignModel; its totals move without its modification stamp."""
    gifts = 40 + len(world.gifts) // 20 + campaign.id
    return {
        "id": campaign.id,
        "name": campaign.name,
        "description": None,
        "startDate": seconds(campaign.created),
        "endDate": None,
        "duration": "Ongoing",
        "canSync": campaign.can_sync,
        "crmKey": str(campaign.id - 800) if campaign.id % 2 else None,
        "crmKeyUrls": {},
        "applySegmentToRecurringGifts": False,
        "givingGoal": 50000.0,
        "givingGoalFormatted": "$50,000.00",
        "hasGivingGoal": True,
        "raisedAmount": money.text(gifts * 7_550),
        "raisedPercentage": round(gifts * 75.5 / 500, 2),
        "totalGiftGoal": 500,
        "hasTotalGiftGoal": True,
        "totalGifts": gifts,
        "totalGiftsPercentage": gifts / 5,
        "totalDonors": gifts // 3,
        "averageGiftGoal": 75.0,
        "averageGiftGoalFormatted": "$75.00",
        "averageGiftAmount": "$75.50",
        "hasAverageGiftGoal": True,
        "totalVisitors": gifts * 11,
        "conversionRate": "9.1%",
        "createdDateTime": varied(campaign.created, campaign.id),
        "modifiedDateTime": varied(campaign.modified, campaign.id),
    }


def segment_row(world: World, segment: Segment) -> dict[str, Any]:
    """A SegmentModel."""
    return {
        "id": segment.id,
        "campaignId": segment.campaign_id,
        "campaignName": world.campaigns[segment.campaign_id].name,
        "name": segment.name,
        "description": None,
        "code": segment.code,
        "externalIdentifier": None,
        "totalDonors": 12,
        "totalGifts": 31,
        "totalGiftAmount": "$2,340.50",
        "averageGiftAmount": "$75.50",
        "medianGiftAmount": "$50.00",
        "highestGiftAmount": "$1,000.00",
        "totalVisitors": 340,
        "conversionRate": "9.1%",
        "createdDateTime": varied(segment.created, segment.id),
        "modifiedDateTime": varied(segment.created + 9 * HOUR, segment.id),
    }


def project_row(project: Project) -> dict[str, Any]:
    """A project; no sample of the model is published."""
    return {
        "id": project.id,
        "name": project.name,
        "code": project.code,
        "description": None,
        "isActive": True,
        "sortOrder": project.id,
        "isDefault": project.id == 1,
        "image": None,
    }


def webhook_row(webhook: Webhook) -> dict[str, Any]:
    """A subscription, which echoes its secret."""
    return {
        "id": webhook.id,
        "name": webhook.name,
        "notificationUrl": f"https://hooks.example.org/raise/{webhook.id}",
        "eventTypesList": list(webhook.events),
        "format": 1,
        "status": webhook.status,
        "securityToken": f"sandbox-webhook-secret-{webhook.id}",
        "createdDateTime": iso_z(webhook.created),
        "modifiedDateTime": iso_z(webhook.created),
    }


_RESPONSES = {200: "OK", 204: "", 500: "Internal Server Error", 503: "upstream unavailable", 401: "Invalid signature"}


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    """A row of the delivery log, as the lists show it: without the payload."""
    status = delivery.http_status
    return {
        "id": delivery.id,
        "webhookId": delivery.webhook_id,
        "eventType": delivery.event_type,
        "eventTypeDisplay": delivery.label,
        "success": str(status is not None and 200 <= status < 300),
        "httpStatusCode": "" if status is None else str(status),
        "serverResponse": "The operation has timed out." if status is None else _RESPONSES.get(status, ""),
        "contextId": delivery.context_id,
        "createdDate": varied(delivery.created, delivery.id),
    }
