"""`tieout sandbox`."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

import typer

from ingestion.errors import TieoutError


class Scale(StrEnum):
    """How much the simulated organization has."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class PortTaken(TieoutError):
    """Something else listens there."""


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback; 0 takes a free one.")] = 8765,
    seed: Annotated[int, typer.Option(help="The same seed makes the same organization.")] = 1,
    scale: Annotated[Scale, typer.Option(help="How much the organization has.")] = Scale.SMALL,
    faults: Annotated[list[str] | None, typer.Option(help="What goes wrong; may be given several times.")] = None,
) -> None:
    """Serve a simulated Raise and CRM+ and print the settings that point at it."""
    from ingestion.sandbox import FAULTS, serve

    if unknown := [name for name in faults or () if name not in FAULTS]:
        raise typer.BadParameter(f"{unknown[0]} is not one of {', '.join(FAULTS)}.", param_hint="--faults")
    try:
        serve(port, seed, scale.value, faults or (), on_ready=_print_settings)
    except OSError as error:
        raise PortTaken(f"Port {port} cannot be used ({error.strerror}): choose another with --port.") from None


def _print_settings(info: Mapping[str, Any]) -> None:
    for name, value in info["env"].items():
        typer.echo(f"{name}={value}")
