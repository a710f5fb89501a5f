"""The runner: the notebooks in order through papermill, stopped at the first refusal, with a record and a report."""

from .sequence import (
    TEARDOWN as TEARDOWN,
)
from .sequence import (
    Order as Order,
)
from .sequence import (
    choose as choose,
)
from .sequence import (
    conclude as conclude,
)
from .sequence import (
    find as find,
)
from .sequence import (
    refresh as refresh,
)
from .sequence import (
    resume as resume,
)
from .sequence import (
    run as run,
)
from .sequence import (
    shown as shown,
)
from .sequence import (
    to_refresh as to_refresh,
)
