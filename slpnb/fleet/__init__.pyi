"""A fleet of container instances under one service, and what it holds."""

from .group import (
    HOURS_A_MONTH as HOURS_A_MONTH,
)
from .group import (
    Fleet as Fleet,
)
from .group import (
    fit as fit,
)
from .group import (
    fleet as fleet,
)
from .group import (
    monthly as monthly,
)
from .group import (
    running as running,
)
from .group import (
    steady as steady,
)
