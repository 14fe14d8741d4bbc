"""What CRM+ offers: its query endpoints, their keys and cursors, and the declared columns.

CRM+ answers a query in two widths; only the full one of contacts and gifts carries modification stamps, references
and transaction ids, so that is the one to read.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.columns import Resource, declare, names

_AUDIT = "createDateTimeUtc modifiedDateTimeUtc"
_USERS = " createdByUser modifiedByUser"
_DESIGNATIONS = names("id projectId project projectCode externalAccountingCode projectType amountDesignated")


@dataclass(frozen=True)
class CrmPlusResource(Resource):
    """A CRM+ collection, queried with `skip` and `take`."""

    options_path: str | None = None
    """Where the accepted parameters and operators stand."""

    id_parameters: tuple[str, ...] = ()
    """Spellings of the id parameter of the keyset cursor, best first. Empty: the collection is paged by `skip`."""

    sort_by: str = "Id"
    archived_by_set_difference: str | None = None
    """An abbreviated query that leaves archived records out, for organizations whose records carry no `isArchived`."""


CONTACTS = CrmPlusResource(
    "contacts",
    "/api/Contact/Query/FullContact",
    declare(
        integer="id mergedIntoContactId anniversaryMonth anniversaryDay anniversaryYear originSegmentId",
        text=(
            "contactType name informalName formalContactName alternateContactName preferredSalutationName"
            " preferredAddresseeName description website maritalStatus giftAskAmount giftAskType lifeToDateGiving"
            " yearToDateGiving lastGiftAmount lastGiftDate originSegment" + _USERS
        ),
        boolean="isPrivate isArchived nameFieldsLocked",
        instant=_AUDIT,
        json="address contactIndividuals contactReferences tags organizationGroups customFields customCollections",
    ),
    impersonal=names(
        "id mergedIntoContactId originSegmentId contactType isPrivate isArchived nameFieldsLocked " + _AUDIT
    ),
    nested={
        "address": names("id isPrimary canBePrimary"),
        "contactIndividuals": names(
            "id contactId isPrimary isSecondary canBePrimary canBeSecondary contactMethods type isOptedIn"
        ),
        "contactReferences": names("source id"),
    },
    known=names(
        "contactGiftsUrl contactPassthroughGiftsUrl contactPlannedGiftsUrl contactRecurringGiftsUrl"
        " contactImportantNotesUrl contactNotesUrl contactTagsUrl contactRelationshipsUrl primaryAvatarUrl"
        " isCurrentUserFollowing"
    ),
    options_path="/api/Contact/QueryOptions",
    id_parameters=("Contact Id", "Id"),
    modified="modifiedDateTimeUtc",
    archived_by_set_difference="/api/Contact/Query",
)

# Each type of gift has those of its own.
_DETAILS_OF_PAYMENT = names(
    "creditCardType checkNumber cryptocoinType transactionHash coinSoldForCash coinAmount dateCoinWasSold"
    " coinSaleAmount tickerSymbol numberOfShares stockSoldForCash dateStockWasSold stockSaleAmount iraCustodian"
    " nonCashGiftTypeId nonCashGiftType description nonCashSoldForCash dateNonCashWasSold nonCashOriginalAmount"
    " nonCashSaleAmount passthroughGiftAskId receiptSegmentId state"
)

GIFTS = CrmPlusResource(
    "gifts",
    "/api/Gift/Query/FullGift",
    declare(
        integer=(
            "id reversedGiftId contactId segmentId mediaOutletId grantId tributeId acknowledgeeIndividualId"
            " contactPassthroughId contactIndividualId giftAskId contactMembershipId"
        ),
        text=(
            "transactionSource transactionId contactName giftType giftTypeFormatted giftDateFormatted amountFormatted"
            " currencyCode baseCurrencyCode batch segment segmentCode mediaOutlet grant notes tribute tributeType"
            " acknowledgementNotes receiptDateFormatted cashAccountingCode creditCardType checkNumber giftUrl" + _USERS
        ),
        money="amount stockSaleAmount coinSaleAmount nonCashOriginalAmount nonCashSaleAmount",
        # Coins and shares are counted in fractions.
        rate="exchangeRate coinAmount numberOfShares",
        boolean="isAcknowledgedGift isPrivate isTaxDeductible",
        instant=_AUDIT,
        date="giftDate receiptDate acknowledgementDate",
        json="giftDesignations giftPremiums pledgePayments recurringGiftPayments giftPassthroughs customFields",
    ),
    impersonal=names(
        "id reversedGiftId contactId segmentId mediaOutletId grantId tributeId acknowledgeeIndividualId"
        " contactPassthroughId contactIndividualId giftAskId contactMembershipId transactionSource transactionId"
        " giftType giftTypeFormatted amountFormatted currencyCode baseCurrencyCode segment segmentCode giftUrl amount"
        " stockSaleAmount coinSaleAmount nonCashOriginalAmount nonCashSaleAmount exchangeRate coinAmount numberOfShares"
        " isAcknowledgedGift isPrivate isTaxDeductible giftDate receiptDate acknowledgementDate " + _AUDIT
    ),
    nested={
        "giftDesignations": _DESIGNATIONS,
        "giftPremiums": names("id premiumId quantity"),
        "pledgePayments": names("id expectedPaymentDate expectedAmount giftId actualAmount"),
        "recurringGiftPayments": names(
            "id gift contactId giftDate amount expectedAmount expectedPaymentDate dismissPaymentDate fulfillPaymentDate"
        ),
        "giftPassthroughs": names("id contactId amount"),
    },
    known=_DETAILS_OF_PAYMENT | names("contactUrl segmentUrl grantUrl contactPassthroughUrl culture"),
    optional=_DETAILS_OF_PAYMENT,
    options_path="/api/Gift/QueryOptions",
    id_parameters=("Gift Id", "Id"),
    modified="modifiedDateTimeUtc",
)

RECURRING_GIFTS = CrmPlusResource(
    "recurring_gifts",
    "/api/RecurringGift/Query",
    declare(
        integer="id contactId segmentId",
        text="transactionSource transactionId frequency status segment" + _USERS,
        money="amount",
        boolean="automatedPayments trackPayments isPrivate",
        instant=_AUDIT + " cancelDateTimeUtc",
        date="recurringGiftDate startDate anticipatedEndDate nextExpectedPaymentDate thankYouDate",
        json="designations customFields",
    ),
    impersonal=names(
        "id contactId segmentId transactionSource transactionId frequency status segment amount automatedPayments"
        " trackPayments isPrivate cancelDateTimeUtc recurringGiftDate startDate anticipatedEndDate"
        " nextExpectedPaymentDate thankYouDate " + _AUDIT
    ),
    nested={"designations": _DESIGNATIONS},
    known=names("segmentUrl"),
    options_path="/api/RecurringGift/QueryOptions",
    id_parameters=("Recurring Gift Id", "Id"),
    modified="modifiedDateTimeUtc",
)

PROJECTS = CrmPlusResource(
    "projects",
    "/api/Project/Query",
    declare(
        integer=(
            "id parentId lifeToDateGiftCount lifeToDateGiversCount calendarYearToDateGiftCount"
            " calendarYearToDateGiversCount"
        ),
        text=(
            "name projectCode externalAccountingCode onlineDisplayName description parentName inventoryStatus type"
            " photoUrl location financialNeedType financialNeedFrequency durationType" + _USERS
        ),
        money=(
            "beginningBalance currentBalance financialNeedAmount lifeToDateGiving lifeToDateExpenseTotal"
            " calendarYearToDateGiving calendarYearToDateExpenseTotal"
        ),
        boolean=(
            "isSubProject isRestrictedToGiftSpecifications isLimitedToFinancialNeed isPublic isActive isAvailableOnline"
            " isTaxDeductible treatAsAccountsPayable"
        ),
        instant=_AUDIT,
        date="startDate endDate",
        json="giftSpecifications customFields",
    ),
    impersonal=names(
        "id parentId lifeToDateGiftCount lifeToDateGiversCount calendarYearToDateGiftCount"
        " calendarYearToDateGiversCount name projectCode externalAccountingCode onlineDisplayName parentName"
        " inventoryStatus type financialNeedType"
        " financialNeedFrequency durationType beginningBalance currentBalance financialNeedAmount lifeToDateGiving"
        " lifeToDateExpenseTotal calendarYearToDateGiving calendarYearToDateExpenseTotal isSubProject"
        " isRestrictedToGiftSpecifications isLimitedToFinancialNeed isPublic isActive isAvailableOnline"
        " isTaxDeductible treatAsAccountsPayable startDate endDate " + _AUDIT
    ),
    options_path="/api/Project/QueryOptions",
    id_parameters=("Project Id", "Id"),
    modified="modifiedDateTimeUtc",
)

CAMPAIGNS = CrmPlusResource(
    "campaigns",
    "/api/Campaign/Query",
    declare(
        integer="campaignId",
        text="name",
        money="givingGoal newGiverGoal totalGiftGoal",
        boolean="isArchived",
        instant="startDateTimeUtc endDateTimeUtc",
    ),
    impersonal=names(
        "campaignId name givingGoal newGiverGoal totalGiftGoal isArchived startDateTimeUtc endDateTimeUtc"
    ),
    key="campaignId",
    sort_by="campaignId",
)

ORGANIZATION = CrmPlusResource(
    "organization",
    "/api/Organization/Current",
    declare(
        integer="organizationUserId",
        text="organizationName organizationTimeZone organizationCulture currentUserTimeZone",
        boolean="isAdministrator isEnabled",
    ),
    impersonal=names(
        "organizationUserId organizationName organizationTimeZone organizationCulture currentUserTimeZone"
        " isAdministrator isEnabled"
    ),
    key="organizationUserId",
    may_be_replaced=True,
)

RESOURCES = (ORGANIZATION, CAMPAIGNS, PROJECTS, CONTACTS, RECURRING_GIFTS, GIFTS)
