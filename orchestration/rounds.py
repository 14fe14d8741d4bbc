"""One source of all organizations of a run, one after the other: what keeps one from being read stops no other."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

from ingestion.disk import full_disk
from ingestion.errors import ReadingFailed, TieoutError, WarehouseLocked, WarehouseUnusable
from ingestion.http import PATIENCE, Patience
from ingestion.resource_reading import Outcome
from ingestion.settings import Organization, Settings
from ingestion.sources import OpenReading, finish_pending, is_half_loaded, open_reading
from orchestration.progress import listener
from orchestration.scope import Scope

_SECONDS_WAITED_BEFORE_OTHERS = 60


@dataclass(frozen=True)
class Read:
    """What came of reading a source of one organization."""

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    error: str | None = None
    """What kept it from being read at all, or to its end."""
    foreign: str | None = None
    """The organization that the credential opens, where the warehouse holds another one."""

    def error_of(self, resource: str) -> str | None:
        """What went wrong with the reading of a resource."""
        outcome = self.outcomes.get(resource)
        return self.error or (outcome.error if outcome and not outcome.is_withheld else None)

    def note_of(self, resource: str) -> str | None:
        """Why the product does not give a resource, while it gives others."""
        outcome = self.outcomes.get(resource)
        return outcome.error if outcome and outcome.is_withheld and not self.error else None


@dataclass(frozen=True)
class Round:
    """How a source is to be read. `load` takes an open reading to its end; `warn` is told of surprises."""

    source: str
    settings: Settings
    load: Callable[[OpenReading], None]
    warn: Callable[[str], None]
    run_id: str
    full: bool = False
    accept_deletions: Collection[str] = ()
    accept_organization: Collection[str] = ()
    wait_at_most: float = PATIENCE.throttle
    """Seconds that a 429 may keep a source waiting."""

    def read(self, scope: Scope) -> dict[str, Read]:
        """Reads every organization, and tells by its slug what came of it. Raises where none could be read.

        Where an API wants one to wait for longer, it is the others' turn first.
        """
        finish_pending(self.source, self.settings)
        reads = {slug: Read(error=str(error)) for slug, error in scope.unusable.items()}
        patient = replace(PATIENCE, throttle=self.wait_at_most)
        hasty = replace(PATIENCE, throttle=min(_SECONDS_WAITED_BEFORE_OTHERS, self.wait_at_most))
        failures: list[Exception] = []
        waiting = list(scope.organizations)
        for patience in (hasty, patient) if len(waiting) > 1 else (patient,):
            put_off: list[Organization] = []
            for organization in waiting:
                try:
                    reading = self._read(organization, patience)
                except (WarehouseLocked, WarehouseUnusable):
                    raise
                except Exception as error:
                    if full := full_disk(error, self.settings.warehouse_path.parent):
                        raise full from None
                    if is_half_loaded(self.source, organization.slug, self.settings):
                        raise
                    failures.append(self._unquoted(error))
                    reads[organization.slug] = Read(error=self._told(organization, error))
                else:
                    reads[organization.slug] = Read(reading.outcomes, foreign=reading.foreign_organization)
                    if reading.is_throttled:
                        put_off.append(organization)
            waiting = put_off
        if all(reads[organization.slug].error for organization in scope.organizations):
            raise failures[0]
        return reads

    def _read(self, organization: Organization, patience: Patience) -> OpenReading:
        with open_reading(
            self.source,
            organization,
            self.settings,
            run_id=self.run_id,
            full=self.full,
            accept_deletions=self.accept_deletions,
            accept_organization=self.accept_organization,
            patience=patience,
            progress=listener().reading,
        ) as reading:
            self.load(reading)
            return reading

    def _unquoted(self, error: Exception) -> Exception:
        """The error without its text where that may quote a row, and rows are not to be shown."""
        if isinstance(error, TieoutError) or not self.settings.hides_persons:
            return error
        return ReadingFailed(self.source, type(error).__name__)

    def _told(self, organization: Organization, error: Exception) -> str:
        if isinstance(error, TieoutError):
            return str(error)
        error = self._unquoted(error)
        if isinstance(error, ReadingFailed):
            self.warn(f"[{organization.slug}] {error}")
            return str(error)
        line = (str(error).strip().splitlines() or ["no reason given"])[0]
        told = f"Unexpected {type(error).__name__} in {self.source}: {line}. Report this as a bug."
        self.warn(f"[{organization.slug}] {told}")
        return told
