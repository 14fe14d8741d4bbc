"""What Raise offers: its list endpoints, their keys and orders, and the declared columns.

Raise documents no schema. The fields here are those that its documentation and public integrations name; where one
of them is only described and never spelled, the spelling is the one that its neighbours suggest, and a wrong guess
costs nothing: the real field then arrives in `extra_fields`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.columns import Resource, declare, names
from ingestion.impersonal import OF_A_PAYLOAD

_LINKS = {"crmKeyUrls": names("type url")}
_ADDRESSES = names("id donorId isPrimary addressType addressTypeDisplay")
_CONTACT_METHODS = names("id donorId type typeDisplay isPrimary isOptedIn isValid isEmail isPhone isBounced")
_ALLOCATIONS = names(
    "id projectId name projectName amount currencyExchange nativeAmount nativeCurrencyCode settledExchangeRate"
    " settledAmount settledCurrencyCode baseExchangeRate baseAmount baseCurrencyCode isDifferentCurrency"
)


@dataclass(frozen=True)
class RaiseResource(Resource):
    """A Raise collection, listed with `Skip` and `Take`."""

    sort_by: tuple[str, ...] = ()
    """Sort keys to ask for, best first: after a 400 the next one is tried, in the end the server's own order."""

    details: bool = False
    """Whether to ask for `IncludeDetails`."""

    single_path: str | None = None
    """Where one row is fetched by its id."""


DONORS = RaiseResource(
    "donors",
    "/api/Donor/list",
    declare(
        integer="id",
        text="name title firstName middleName lastName suffix email phone notes organizationName crmKey crmSecondKey",
        boolean="isOrganization isTestMode isArchived isGDPRDeleted",
        instant="createdDate modifiedDate",
        json="crmKeyUrls primaryAddress donorAddresses donorEmailAddresses donorPhoneNumbers",
    ),
    impersonal=names("id crmKey isOrganization isTestMode isArchived isGDPRDeleted createdDate modifiedDate"),
    nested={
        "primaryAddress": _ADDRESSES,
        "donorAddresses": _ADDRESSES,
        "donorEmailAddresses": _CONTACT_METHODS,
        "donorPhoneNumbers": _CONTACT_METHODS,
        **_LINKS,
    },
    sort_by=("id", "createdDateTime"),
    details=True,
    created="createdDate",
    single_path="/api/Donor/{}",
    event_family=3,
)

GIFTS = RaiseResource(
    "gifts",
    "/api/Gift/list",
    declare(
        integer="id donorId recurringGiftId campaignId segmentId status",
        text=(
            "currency formattedAmount statusText gateway authorizationNumber transactionId donationId paymentInfo"
            " paymentType paymentProviderTransactionUrl segment segmentName segmentCode motivation campaignName"
            " notes comment billingName shippingName submissionUrl googleGclid"
        ),
        money="amount",
        boolean="isAnonymous isTestMode giftAidRequested canRefund donorPaidCosts",
        instant="createdDate modifiedDate",
        date="date",
        json="donor billingAddress shippingAddress projects browserInfo",
    ),
    impersonal=names(
        "id donorId recurringGiftId campaignId segmentId status currency amount formattedAmount statusText gateway"
        " transactionId donationId paymentType segment segmentName segmentCode campaignName isAnonymous isTestMode"
        " giftAidRequested canRefund donorPaidCosts createdDate modifiedDate date"
    ),
    nested={"donor": names("id"), "projects": _ALLOCATIONS},
    sort_by=("id",),
    details=True,
    created="createdDate",
    single_path="/api/Gift/{}",
    event_family=1,
    late_reread_days=60,
)

RECURRING_GIFTS = RaiseResource(
    "recurring_gifts",
    "/api/RecurringGift/list",
    declare(
        integer="id organizationId donorId frequency status successfulCycles campaignId segmentId",
        text=(
            "profileNumber currencyCode baseCurrencyCode formattedAmount formattedFrequency formattedTotal"
            " startDateFormatted nextChargeDateFormatted statusText gatewayId gatewayName paymentInfo cardExpiration"
            " cardBrand paymentMethodCountryCode motivationCode sourceCode segmentName segmentCode campaignName crmKey"
        ),
        money="amount total",
        boolean="hasPaymentFailed isAnonymous isTestMode donorCoverCosts",
        instant="createdDate modifiedDate",
        date="startDate nextChargeDate",
        json="donor projects crmKeyUrls",
    ),
    impersonal=names(
        "id organizationId donorId frequency status successfulCycles campaignId segmentId currencyCode baseCurrencyCode"
        " amount total formattedAmount formattedFrequency formattedTotal statusText gatewayId gatewayName segmentName"
        " segmentCode campaignName crmKey hasPaymentFailed isAnonymous isTestMode donorCoverCosts createdDate"
        " modifiedDate startDate nextChargeDate"
    ),
    nested={"donor": names("id"), "projects": _ALLOCATIONS, **_LINKS},
    sort_by=("id", "createdate"),
    details=True,
    created="createdDate",
    single_path="/api/RecurringGift/{}",
    event_family=2,
)

CAMPAIGNS = RaiseResource(
    "campaigns",
    "/api/Campaign/list",
    declare(
        integer="id totalGiftGoal totalGifts totalDonors totalVisitors",
        text="name description duration crmKey givingGoalFormatted averageGiftGoalFormatted conversionRate",
        money="givingGoal raisedAmount averageGiftGoal averageGiftAmount",
        rate="raisedPercentage totalGiftsPercentage",
        boolean="canSync applySegmentToRecurringGifts hasGivingGoal hasTotalGiftGoal hasAverageGiftGoal",
        instant="createdDateTime modifiedDateTime",
        date="startDate endDate",
        json="crmKeyUrls",
    ),
    impersonal=names(
        "id totalGiftGoal totalGifts totalDonors totalVisitors name duration crmKey givingGoalFormatted"
        " averageGiftGoalFormatted conversionRate givingGoal raisedAmount averageGiftGoal averageGiftAmount"
        " raisedPercentage totalGiftsPercentage canSync applySegmentToRecurringGifts hasGivingGoal hasTotalGiftGoal"
        " hasAverageGiftGoal createdDateTime modifiedDateTime startDate endDate"
    ),
    nested=_LINKS,
    sort_by=("id", "createdDateTime"),
)

SEGMENTS = RaiseResource(
    "segments",
    "/api/Segment/list",
    declare(
        integer="id campaignId totalDonors totalGifts totalVisitors",
        text="campaignName name description code externalIdentifier conversionRate",
        money="totalGiftAmount averageGiftAmount medianGiftAmount highestGiftAmount",
        instant="createdDateTime modifiedDateTime",
    ),
    impersonal=names(
        "id campaignId totalDonors totalGifts totalVisitors campaignName name code conversionRate totalGiftAmount"
        " averageGiftAmount medianGiftAmount highestGiftAmount createdDateTime modifiedDateTime"
    ),
    sort_by=("id", "createdDateTime"),
)

PROJECTS = RaiseResource(
    "projects",
    "/api/Project/list",
    declare(integer="id sortOrder", text="name code description", boolean="isActive"),
    impersonal=names("id sortOrder name code isActive"),
    sort_by=("id",),
)

WEBHOOKS = RaiseResource(
    "webhooks",
    "/api/Webhook/list",
    declare(
        integer="id format status",
        text="name notificationUrl",
        instant="createdDate modifiedDate",
        json="eventTypesList",
    ),
    impersonal=names("id format status createdDate modifiedDate"),
    nested={"eventTypesList": names("eventTypesList")},
    sort_by=("id",),
    secrets=frozenset({"securityToken"}),
)

WEBHOOK_LOGS = RaiseResource(
    "webhook_logs",
    "/api/Webhook/log/list",
    declare(
        integer="id webhookId eventType",
        text="eventTypeDisplay success httpStatusCode serverResponse contextId payLoad",
        instant="createdDate",
    ),
    impersonal=names("id webhookId eventType eventTypeDisplay success httpStatusCode contextId createdDate"),
    nested={"payLoad": OF_A_PAYLOAD},
    sort_by=("createddatetime",),
    secrets=frozenset({"securityToken"}),
    created="createdDate",
    keeps_vanished=True,
    newest_first=True,
)

# `outcome` and `attempts` are ours: see log_entries.py.
WEBHOOK_LOG_PAYLOADS = RaiseResource(
    "webhook_log_payloads",
    "/api/Webhook/{}/log/{}",
    declare(integer="id webhookId attempts", text="outcome payLoad"),
    impersonal=names("id webhookId attempts outcome"),
    nested={"payLoad": OF_A_PAYLOAD},
    secrets=frozenset({"securityToken"}),
    keeps_vanished=True,
    entries_of=WEBHOOK_LOGS.name,
)

# The delivery log comes before what it speaks of: it says which rows to fetch again. The payloads come last: each costs
# a request, and nothing else is to wait for them.
RESOURCES = (
    WEBHOOKS,
    WEBHOOK_LOGS,
    CAMPAIGNS,
    SEGMENTS,
    PROJECTS,
    DONORS,
    RECURRING_GIFTS,
    GIFTS,
    WEBHOOK_LOG_PAYLOADS,
)
