"""50_cluster: the instances: launch template, Auto Scaling group, capacity provider, and the ECS cluster."""

from .step import (
    STEP as STEP,
)
from .step import (
    agent as agent,
)
from .step import (
    desired as desired,
)
from .step import (
    find_cluster as find_cluster,
)
from .step import (
    observe as observe,
)
from .step import (
    plan as plan,
)
from .step import (
    preflight as preflight,
)
from .step import (
    registered as registered,
)
from .step import (
    verify as verify,
)
