"""00_start: who calls, what exists, and every refusal that follows, before anything is created."""

from .checks import (
    caller as caller,
)
from .checks import (
    compute_choices as compute_choices,
)
from .checks import (
    existing as existing,
)
from .checks import (
    made as made,
)
from .checks import (
    quota_verdicts as quota_verdicts,
)
from .checks import (
    refusals as refusals,
)
from .checks import (
    survey as survey,
)
from .checks import (
    what_if as what_if,
)
