"""Where the parts of the repository are that the package works on."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCKER = ROOT / "docker"
NOTEBOOKS_DIR = ROOT / "notebooks"
PARAMS = ROOT / "params"
RUNS = ROOT / "runs"
