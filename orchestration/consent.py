"""What whoever starts a run on the command line agrees to. No run configuration says it: the UI can start runs too."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class Consent:
    """To what is named, and to nothing else."""

    deletions: tuple[str, ...] = ()
    """Read these resources (`raise.webhooks`) again and take what is deleted there as deleted, however much it is."""
    organizations: tuple[str, ...] = ()
    """Read these sources (`raise`) also where the credential opens another organization than the warehouse holds."""


NOTHING = Consent()
_consent: ContextVar[Consent] = ContextVar("consent", default=NOTHING)


def consent() -> Consent:
    """What was agreed to for this run."""
    return _consent.get()


@contextmanager
def given(consent: Consent) -> Iterator[None]:
    """Holds for the runs inside."""
    token = _consent.set(consent)
    try:
        yield
    finally:
        _consent.reset(token)
