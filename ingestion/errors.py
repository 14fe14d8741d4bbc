"""Everything that can go wrong in a way that a user can mend.

Each error's text is one line that says what is wrong and what to do. It never holds a secret.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from ingestion.masking import masked


class TieoutError(Exception):
    """Something a user can mend; `str(error)` is one line, in which no secret shows."""

    def __init__(self, line: str = "") -> None:
        super().__init__(masked(line))


class SettingsError(TieoutError):
    """A setting is missing or wrong."""


class WarehouseLocked(TieoutError):
    """Another process holds the warehouse file."""

    def __init__(self, path: Path, holder: str) -> None:
        super().__init__(f"The warehouse {path} is in use{holder}: close it there, or wait, and run again.")


class WarehouseUnusable(TieoutError):
    """The warehouse file cannot be opened, or its folder not be written."""

    def __init__(self, path: Path, reason: str, mend: str = "restore it from a backup, or move it away") -> None:
        self.reason = reason
        super().__init__(f"The warehouse {path} cannot be opened ({reason}): {mend}.")


class SourceError(TieoutError):
    """An API did not give what was asked for. `stops_source`: asking for its other resources is pointless too."""

    stops_source = False
    is_fault = True
    """False: nothing is wrong, the rest is merely read later."""

    withholds = False
    """True: the product answers, but does not give this resource. A fault where it gives none of them."""


class RequestRefused(SourceError):
    """A request that is not a documented read was about to be sent."""

    def __init__(self, method: str, path: str) -> None:
        super().__init__(f"{method} {path} is not a documented read and was not sent: report this as a bug.")


class CredentialRefused(SourceError):
    """401: the API does not accept the credential."""

    stops_source = True

    def __init__(self, product: str, credential: str) -> None:
        super().__init__(f"{product} refused the credential (401): check {credential}, or make a new one in {product}.")


class ForeignOrganization(SourceError):
    """The credential opens another organization than the one whose rows the warehouse holds."""

    stops_source = True

    def __init__(self, credential: str, live: str, held: str, slug: str, how_to_accept: str) -> None:
        super().__init__(
            f"{credential} belongs to {live}, and the warehouse holds {held} under the slug {slug}: nothing was read;"
            f" correct the credential, or take another slug; if it is meant, {how_to_accept} accepts it."
        )


class PermissionRefused(SourceError):
    """403: the credential may not read this resource."""

    withholds = True

    def __init__(self, product: str, credential: str, path: str) -> None:
        super().__init__(
            f"{product} does not let {credential} read {path} (403): give its permission group this right."
        )


class ResourceAbsent(SourceError):
    """404: the API does not offer this resource."""

    withholds = True

    def __init__(self, product: str, path: str) -> None:
        super().__init__(
            f"{product} has no {path} (404): check the base URL; if the rest is read, it is not offered here."
        )


class ClockWrong(SourceError):
    """This machine and an API disagree about what time it is; `ahead` is how far our clock is ahead, or below 0."""

    stops_source = True

    def __init__(self, product: str, ahead: timedelta) -> None:
        hours, side = abs(ahead) / timedelta(hours=1), "ahead of" if ahead > timedelta() else "behind"
        super().__init__(
            f"This machine's clock is {hours:,.1f} hours {side} that of {product}, and all ages would be wrong: set it,"
            " and run again."
        )


class SourceUnreachable(SourceError):
    """No answer after all retries."""

    stops_source = True

    def __init__(self, product: str, host: str, reason: str) -> None:
        is_distrusted = "CERTIFICATE_VERIFY_FAILED" in reason
        mend = (
            "set SSL_CERT_FILE to the certificates of your company's authority"
            if is_distrusted
            else "check the base URL, the network and the proxy"
        )
        super().__init__(f"{product} at {host} cannot be reached ({reason}): {mend}.")


class SourceBroken(SourceError):
    """The API keeps answering with server errors."""

    def __init__(self, product: str, path: str, reason: str) -> None:
        super().__init__(f"{product} fails on {path} ({reason}): run again later; if it stays, tell Virtuous support.")


class AnswerNotUnderstood(SourceError):
    """The answer is not what the documentation promises, such as an HTML page with status 200."""

    def __init__(self, product: str, path: str, reason: str, said: str = "") -> None:
        self.unquoted = AnswerNotUnderstood(product, path, reason) if said else self
        """The same without what the API `said`, in its own words."""
        super().__init__(
            f"{product} answered {path} with something else than its records ({reason}{said}): check the base URL."
        )


class RowsNotTyped(SourceError):
    """Rows came that could not be taken apart. Nothing of what they hold is told."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"Rows of {path} could not be typed ({reason}): the rest is read; report this as a bug.")


class ReadingFailed(SourceError):
    """Reading a resource led to an error that nobody foresaw. Nothing of its text is told, which may quote a row."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"Reading {path} failed unexpectedly ({reason}): the rest is read; report this as a bug.")


class RequestRejected(SourceError):
    """4xx other than 401, 403, 404 and 429: the API does not accept what was asked."""

    def __init__(self, product: str, path: str, status: int, reason: str) -> None:
        self.is_about_parameters = status in (400, 422)
        super().__init__(f"{product} rejected {path} ({status}: {reason}): report this as a bug.")


class OrderUnstable(SourceError):
    """The rows of a collection kept changing places while it was paged."""

    def __init__(self) -> None:
        super().__init__("Its rows changed places during every pass: what came is kept; run again at a quieter hour.")


class Throttled(SourceError):
    """429, and the API takes no requests for longer than a run may wait."""

    stops_source = True

    def __init__(self, product: str, until: datetime) -> None:
        super().__init__(
            f"{product} takes no requests until {until:%Y-%m-%d %H:%M} UTC (429): what was read is kept, and a run"
            " after that goes on there; --wait-at-most lets one wait longer, and if this stays, find out which other"
            " integration spends its budget."
        )


class BudgetSpent(SourceError):
    """The part of the API's hourly budget that is ours is used up."""

    stops_source = True
    is_fault = False

    def __init__(self, product: str, remaining: int, limit: int, resumes_at: datetime) -> None:
        self.resumes_at = resumes_at
        super().__init__(
            f"{product} has {remaining} of {limit} requests left, the reserve of other integrations (CRM_PLUS_RESERVE):"
            f" what was read is kept, and a run from {resumes_at + timedelta(minutes=1):%H:%M} UTC on goes on there."
        )
