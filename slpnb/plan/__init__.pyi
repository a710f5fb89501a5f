"""The one engine of every step: compare what is wanted with what AWS holds, show it, apply it."""

from .model import (
    Call as Call,
)
from .model import (
    Change as Change,
)
from .model import (
    Found as Found,
)
from .model import (
    Id as Id,
)
from .model import (
    Kind as Kind,
)
from .model import (
    Observed as Observed,
)
from .model import (
    Plan as Plan,
)
from .model import (
    Resource as Resource,
)
from .model import (
    Script as Script,
)
from .model import (
    Wait as Wait,
)
from .model import (
    Wanted as Wanted,
)
from .model import (
    plan as plan,
)
from .model import (
    resolve as resolve,
)
from .model import (
    verify as verify,
)
