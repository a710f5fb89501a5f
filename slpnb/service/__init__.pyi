"""80_service: the service behind its load balancer, its scaling, its alarms and its name."""

from .step import (
    STEP as STEP,
)
from .step import (
    desired as desired,
)
from .step import (
    observe as observe,
)
from .step import (
    part as part,
)
from .step import (
    plan as plan,
)
from .step import (
    verify as verify,
)
