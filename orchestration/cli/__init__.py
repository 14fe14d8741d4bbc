"""The command line `tieout`. One module per command; what they share is in `terminal`."""

from orchestration.cli.app import main

__all__ = ["main"]
