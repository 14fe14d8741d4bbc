"""What the assets have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ingestion.errors import TieoutError
from orchestration.instance import tag_run

OWNERS = ["team:data-platform"]


@contextmanager
def guarded(context: dg.AssetExecutionContext) -> Iterator[None]:
    """Around an asset's work: its process can be missed, and an error that a user can mend becomes one line."""
    tag_run(context)
    try:
        yield
    except TieoutError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
