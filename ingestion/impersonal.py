"""What neither names nor describes a person, as far as names and texts show it: what `PII_MODE` keeps.

Which fields are meant is declared with each resource (`impersonal`, `nested`). Here is how a text of such a field must
look to be kept: a list of fields alone would keep an e-mail address that somebody entered as a key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ingestion.columns import names

Keep = Callable[[str], str | None]
"""What of a text is kept; None where nothing is."""

_LABEL = re.compile(r"(?!.*(@|%40|://)).{0,200}", re.DOTALL)
_WORD = re.compile(r"\s*[\w.-]{1,40}\s*")
# An id or key of a system: one word that holds a digit, or a GUID.
_CODE = re.compile(r"\s*(?=\S*\d)[^\s@%]{1,64}\s*")
_STATUS = re.compile(r"\s*(\d{3}\b|[A-Za-z]{1,40}\s*$)")
_LINK = re.compile(r"(https?://[\w.-]+(:\d+)?)?(/[A-Za-z]{1,30}){0,8}/\d{1,19}/?")
_VIRTUOUS = re.compile(r"https?://[a-z\d.-]*virtuous[a-z\d.-]*(:\d+)?(?=/|$)", re.IGNORECASE)
# Numbers, amounts, instants and switches as the two products write them.
_MACHINE = re.compile(
    r"""\s*(?:
        [(+-]?\s*[A-Z]{0,2}[^\w\s@]{0,2}\s*-?\d[\d,]{0,25}(?:\.\d{0,20})?\)?\s*(?:[A-Z]{3}|%)?
        | (?:\d{4}[-/]\d\d?[-/]\d\d?|\d\d?[-/]\d\d?[-/](?:\d{4}|\d\d))
          (?:[T\s]+[\d:.]+\s*(?:[AP]M)?)?\s*(?:Z|[+-]\d\d:?\d\d)?
        | true | false | yes | no
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
# The words of labels that say which address of somebody is meant, and not which one it is.
_OF_ADDRESSES = names(
    "email mail phone mobile cell fax text sms address website home work business office other personal primary"
    " secondary alternate main school billing shipping mailing seasonal vacation physical emergency assistant"
)
_INTEGRATIONS = names(
    "virtuous virtuouscrm virtuouscrmplus salesforce salesforcenpsp raisersedge raisersedgenxt blackbaud hubspot"
    " dynamics netsuite donorperfect bloomerang neoncrm kindful civicrm mailchimp quickbooks zapier"
)


def _word_of_status(text: str) -> str | None:
    found = _STATUS.match(text)
    return found[0] if found else None


def _words_of_addresses(text: str) -> str | None:
    known = [word for word in re.findall(r"[^\W\d_]+", text.replace("-", "")) if word.lower() in _OF_ADDRESSES]
    return " ".join(known) or None


def _whole(shape: re.Pattern[str]) -> Keep:
    return lambda text: text if shape.fullmatch(text) else None


def link(text: str) -> str | None:
    """A link to a record, or of one that says more the part that says whose record it is."""
    if _LINK.fullmatch(text):
        return text
    found = _VIRTUOUS.match(text)
    return f"{found[0]}/" if found else None


def integration(name: str) -> str | None:
    """The name of an integration that many have; of another one of Virtuous this alone."""
    folded = "".join(filter(str.isalnum, name)).lower()
    if folded in _INTEGRATIONS:
        return name
    return "Virtuous" if "virtuous" in folded else None


label = _whole(_LABEL)
machine = _whole(_MACHINE)

TEXTS: Mapping[str, Keep] = {
    **dict.fromkeys(("crmKey", "transactionId", "donationId", "contextId", "gatewayId"), _whole(_CODE)),
    **dict.fromkeys(("success", "currency", "currencyCode", "baseCurrencyCode", "outcome"), _whole(_WORD)),
    "httpStatusCode": _word_of_status,
    "giftUrl": link,
}
"""What of the text of a declared column is kept; of one that is not named here, what is a label."""

NESTED_TEXTS: Mapping[str, Keep] = {
    **dict.fromkeys(
        names(
            "name projectName project projectCode externalAccountingCode projectType source baseCurrencyCode"
            " nativeCurrencyCode settledCurrencyCode"
        ),
        label,
    ),
    **dict.fromkeys(("type", "typeDisplay", "addressTypeDisplay"), _words_of_addresses),
}
"""The same of a text within JSON, by its name there; of one that is not named here, what is a number or an instant."""

OF_A_PAYLOAD = names("id recurringGiftId canSync modifiedDate modifiedDateTime amount eventType")
"""What the warehouse needs of a delivered payload: which record it is, of which kind, when it changed, whether it
syncs."""

SPELLED = names(
    # envelopes
    "data object payload event body record resource entity gift donation recurringGift recurringgift recurringDonation"
    " schedule subscription donor contact supporter campaign page form donationForm givingPage items list type"
    # records, and what lies within them
    " id eventType amount status statusText canSync createdDate modifiedDate createdDateTime modifiedDateTime"
    " createDateTimeUtc modifiedDateTimeUtc createdByUser modifiedByUser recurringGiftId donorId campaignId segmentId"
    " isTestMode isPrimary isSecondary canBePrimary canBeSecondary isOptedIn isValid isEmail isPhone isBounced"
    " name title firstName middleName lastName suffix prefix prefix2 nickname preMarriageName email phone notes url"
    " value secondaryValue typeDisplay addressType addressTypeDisplay address1 address2 city state postal country"
    " countryString countryCode label birthDate birthDay birthMonth birthYear approximateAge gender isDeceased"
    " deceasedDate passion avatarUrl startMonth startDay endMonth endDay contactId contactMethods customFields"
    " customCollections displayName dataType source projectId projectName project projectCode externalAccountingCode"
    " projectType projectLocation projectUrl amountDesignated display currencyExchange nativeAmount nativeCurrencyCode"
    " settledAmount settledCurrencyCode settledExchangeRate baseAmount baseCurrencyCode baseExchangeRate"
    " isDifferentCurrency premiumId premium premiumUrl quantity giftId giftDate expectedPaymentDate expectedAmount"
    " actualAmount dismissPaymentDate fulfillPaymentDate customCollectionId customCollectionName collectionInstanceId"
    " fields version"
)
"""Names of fields as the documentation of the products spells them. Another name within JSON may be of a person."""
