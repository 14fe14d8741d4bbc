"""What the delivery log calls events: the words differ between organizations, and what they prove."""

from __future__ import annotations

from ingestion.sandbox.clock import HOUR, START

_LABELS: dict[int, tuple[str, ...]] = {
    10: ("Gift Created", "Gift Created", "Gift Created", "gift created", " Gift  Created"),
    11: ("Gift Updated",),
    12: ("Gift Deleted",),
    20: ("Recurring Gift Created",),
    21: ("RecurringGift Updated",),
    22: ("Recurring Gift Cancelled",),
    30: ("Donor Added",),
    31: ("Donor Updated", "Donor Updated", "Donor Merged", "Donor Updated", "Donor Updated"),
    32: ("Donor Archived",),
    40: ("Campaign Goal Reached",),
    41: ("Campaign Changed",),
    50: ("Page Published",),
    51: ("Page Updated", "Page Updated", "Page Unpublished", *("Page Updated",) * 6),
    60: ("Event Registration Created",),
    99: ("Test Ping", "Test Ping", "Ping", *("Test Ping",) * 6),
}

_OTHER_WORDS: tuple[dict[int, tuple[str, ...]], ...] = (
    {},
    {
        10: ("Donation Created", "Donation Created", "donation created", " Donation  Created"),
        11: ("Donation Updated",),
        20: ("Recurring Donation Created",),
        22: ("Recurring Donation Canceled",),
        30: ("Supporter Created",),
        50: ("Donation Form Created",),
    },
    {
        10: ("donation.created", "Donation.Created"),
        11: ("donation.updated",),
        12: ("donation-deleted",),
        20: ("created recurring_donation",),
        41: ("campaign_updated",),
        50: ("donation_form.created",),
    },
)
"""The vendor's words: of the product's pages, of its help, and of its older help."""

_EVIDENCE = {
    10: "confirmed",
    11: "confirmed",
    12: "confirmed",
    20: "confirmed",
    21: "confirmed",
    22: "confirmed",
    30: "confirmed",
    31: "ambiguous",
    32: "ambiguous",
    40: "contradicted",
    41: "confirmed",
    42: "unobserved",
    50: "contradicted",
    51: "ambiguous",
    52: "unobserved",
    60: "undocumented",
    99: "undocumented",
}

CONTRADICTING = {"Donor Merged", "Page Unpublished"}
"""Labels of an ambiguous event type that would contradict the hypothesis, were they the only one in the log."""

RENAMED = {32: (START - 87 * HOUR - HOUR // 2, "Donor Deleted"), 60: (START - 36 * HOUR, "Registration Created")}
"""Event types that have another label from an instant on."""


def labels(seed: int) -> dict[int, tuple[str, ...]]:
    """The labels of each event type in the log, each as often as it stands here. 42 and 52 never fire."""
    return {**_LABELS, **_OTHER_WORDS[seed % len(_OTHER_WORDS)]}


def evidence(seed: int) -> dict[int, str]:
    """What a log with all of these labels proves about each event type."""
    return {**_EVIDENCE, 50: "confirmed" if labels(seed)[50] != _LABELS[50] else "contradicted"}
