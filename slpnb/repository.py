"""The repository that the package works on: where its parts are, its environments, and what git says of it."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
NOTEBOOKS_DIR = ROOT / "notebooks"
PARAMS = ROOT / "params"
RUNS = ROOT / "runs"
ENVIRONMENTS = ("staging", "production")  # each with a file in PARAMS


def git(*arguments: str, folder: Path = ROOT) -> str:
    """What git says in a folder; empty where there is no git, or no repository."""
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
