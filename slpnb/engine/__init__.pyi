"""The container engine of this machine: Docker, Podman or Finch, found and used through Docker's SDK."""

from .client import (
    CHOICE_VARIABLE as CHOICE_VARIABLE,
    IMAGE as IMAGE,
    LABEL as LABEL,
    SOCKETS as SOCKETS,
    Engine as Engine,
    find as find,
    opted_out as opted_out,
    why_none as why_none,
)
from .trial import find_working as find_working
