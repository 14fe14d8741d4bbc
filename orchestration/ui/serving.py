"""Dagster's web application behind the guard."""

from pathlib import Path

import uvicorn
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from orchestration.instance import open_instance
from orchestration.ui.access import Access
from orchestration.ui.guard import Guard
from orchestration.ui.login import Login


def serve(workspace: Path, host: str, port: int, access: Access) -> None:
    """Until it is asked to end. The definitions are where the workspace file says."""
    with (
        open_instance() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget([str(workspace)]), version=__version__) as context,
    ):
        instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)
        guarded = Guard(
            create_app_from_workspace_process_context(context),
            access.hosts,
            Login(access.password) if access.password else None,
        )
        uvicorn.run(guarded, host=host, port=port, log_level="warning", server_header=False)
