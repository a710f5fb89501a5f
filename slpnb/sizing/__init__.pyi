"""Which task on which instances, how many, with what left, and does it work while it is updated."""

from .tables import (
    Fleet as Fleet,
)
from .tables import (
    budget as budget,
)
from .tables import (
    capacity as capacity,
)
from .tables import (
    cases as cases,
)
from .tables import (
    cheapest as cheapest,
)
from .tables import (
    compare as compare,
)
from .tables import (
    deployment as deployment,
)
from .tables import (
    fit as fit,
)
from .tables import (
    inputs as inputs,
)
from .tables import (
    losing_a_zone as losing_a_zone,
)
from .tables import (
    memory_budget as memory_budget,
)
from .tables import (
    prices as prices,
)
from .tables import (
    refusals as refusals,
)
from .tables import (
    rollout as rollout,
)
from .tables import (
    steady as steady,
)
from .tables import (
    verdict as verdict,
)
from .tables import (
    ways_out as ways_out,
)
from .tables import (
    zone_lost as zone_lost,
)
