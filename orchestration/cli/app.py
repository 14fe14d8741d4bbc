"""All commands, and how a command ends: 0 on success, 1 on a failed run, 2 on wrong usage or settings."""

import logging
import sys
from importlib.metadata import version
from typing import Annotated

import typer

from ingestion.disk import full_disk
from ingestion.errors import SettingsError, TieoutError
from ingestion.plain_text import clean_logs
from orchestration.cli import backup, demo, dev, doctor, erase, exceptions, labels, run, sandbox, summary, tidy, ui
from orchestration.cli.stopping import EXIT_CODE, Stopped
from orchestration.cli.terminal import give_up_output, prepare_streams, say_error
from orchestration.private_files import keep_files_private

FAILED, WRONG_USAGE = 1, 2

# What Typer raises for any mistake on the command line; it exports only the leaves.
_UsageError = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="tieout",
    help="Reconciles Virtuous Raise with Virtuous CRM+.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    run.run,
    doctor.doctor,
    summary.summary,
    exceptions.exceptions,
    labels.labels,
    backup.backup,
    backup.restore,
    erase.erase,
    tidy.tidy,
    sandbox.sandbox,
    demo.demo,
    dev.dev,
    ui.ui,
):
    app.command()(command)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tieout {version('tieout')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _help_by_default(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main() -> None:
    """The entry point of the installed command."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    prepare_streams()
    keep_files_private()
    clean_logs()
    try:
        code: int = app(standalone_mode=False) or 0
        sys.stdout.flush()
        return code
    except Stopped as error:
        say_error(str(error))
        return EXIT_CODE
    except SettingsError as error:
        say_error(str(error))
        return WRONG_USAGE
    except TieoutError as error:
        say_error(str(error))
        return FAILED
    except _UsageError as error:  # type: ignore[misc]
        say_error(f"{error.format_message().rstrip('.')}. See --help.")
        return WRONG_USAGE
    except BrokenPipeError:
        # Whoever was reading, such as `head`, has enough.
        give_up_output()
        return FAILED
    except typer.Abort:
        say_error("Stopped.")
        return FAILED
    except Exception as error:
        if full := full_disk(error):
            # It may be the disk that the output goes to.
            give_up_output()
            say_error(str(full))
            return FAILED
        logging.getLogger(__name__).debug("Unexpected", exc_info=True)
        say_error(f"Unexpected {type(error).__name__}: {error}. Report this as a bug.")
        return FAILED
