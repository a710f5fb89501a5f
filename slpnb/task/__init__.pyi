"""70_task: the task definition, registered whole from the parameters, and the log that its container writes."""

from .step import (
    STEP as STEP,
)
from .step import (
    checks as checks,
)
from .step import (
    definition as definition,
)
from .step import (
    desired as desired,
)
from .step import (
    find_definitions as find_definitions,
)
from .step import (
    fits as fits,
)
from .step import (
    network_modes as network_modes,
)
from .step import (
    observe as observe,
)
from .step import (
    plan as plan,
)
from .step import (
    variables as variables,
)
from .step import (
    verify as verify,
)
