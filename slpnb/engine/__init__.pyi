"""The container engine of this machine: Docker, Podman or Finch, found and spoken to through Docker's SDK."""

from .client import (
    CHOICE_VARIABLE as CHOICE_VARIABLE,
)
from .client import (
    IMAGE as IMAGE,
)
from .client import (
    LABEL as LABEL,
)
from .client import (
    SOCKETS as SOCKETS,
)
from .client import (
    Engine as Engine,
)
from .client import (
    find as find,
)
from .client import (
    why_none as why_none,
)
