"""Which readers' file a command shows."""

from pathlib import Path

from ingestion.settings import Settings, load_settings
from orchestration.cli.terminal import say_note
from orchestration.home import DEMO_FILE


def published_file() -> Path:
    """That of the settings; the demo's, and says so, where there is none and no organization is set up."""
    settings = load_settings()
    if _is_for_the_demo(settings):
        say_note(f"nothing is set up yet: this is the simulated organization of `tieout demo` ({DEMO_FILE}).")
        return DEMO_FILE.absolute()
    return settings.published_path


def _is_for_the_demo(settings: Settings) -> bool:
    is_set_up = "published_path" in settings.model_fields_set or settings.raise_api_token or settings.organizations_file
    return not (is_set_up or settings.published_path.exists()) and DEMO_FILE.exists()
