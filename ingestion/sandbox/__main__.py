"""`python -m ingestion.sandbox`: serve a sandbox and print the settings that point at it."""

from __future__ import annotations

from typing import Annotated

import typer

from .faults import FAULTS
from .server import Info, serve
from .world.state import scale_named


def main(
    port: Annotated[int, typer.Option(help="Port on loopback; 0 takes a free one.")] = 8765,
    seed: Annotated[int, typer.Option(help="The same seed makes the same organization.")] = 1,
    scale: Annotated[str, typer.Option(help="small, medium, large, or gifts:<number> for a benchmark.")] = "small",
    faults: Annotated[
        list[str] | None, typer.Option(help=f"Any of {', '.join(FAULTS)}; several with commas or repeated.")
    ] = None,
) -> None:
    """Serve a simulated organization on Raise and CRM+."""
    names = [name for part in faults or () for name in part.replace(",", " ").split()]
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise typer.BadParameter(f"unknown fault {unknown[0]!r}", param_hint="--faults")
    try:
        scale_named(scale)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--scale") from None
    serve(port, seed, scale, names, on_ready=_print_settings)


def _print_settings(info: Info) -> None:
    for name, value in info["env"].items():
        typer.echo(f"{name}={value}")


if __name__ == "__main__":
    typer.run(main)
