"""`tieout ui`: the Dagster UI alone, as a service runs it."""

from pathlib import Path
from typing import Annotated

import typer

from orchestration.ui.access import access_at, check_address

Port = Annotated[int, typer.Option(min=1, max=65535, help="The port of the UI.")]
Host = Annotated[
    str, typer.Option(help="The address that the UI listens on; any but this machine's own needs UI_PASSWORD.")
]


def ui(
    workspace: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The file that says where the definitions are.")
    ],
    port: Port = 3000,
    host: Host = "127.0.0.1",
) -> None:
    """Serve the Dagster UI alone, where the daemon and the definitions have services of their own."""
    access = access_at(host)
    check_address(host, port)
    # Dagster takes seconds to load: not before it is known that there is something to serve.
    from orchestration.ui.serving import serve

    serve(workspace, host, port, access)
