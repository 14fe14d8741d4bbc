"""What the assets have in common."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from ingestion.disk import full_disk
from ingestion.errors import TieoutError
from ingestion.settings import Paths


@contextmanager
def guarded() -> Iterator[None]:
    """Around an asset's work: an error that a user can mend becomes one line."""
    try:
        yield
    except TieoutError as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except Exception as error:
        if full := full_disk(error, Paths().warehouse_path.parent):
            raise dg.Failure(str(full), allow_retries=False) from None
        raise
