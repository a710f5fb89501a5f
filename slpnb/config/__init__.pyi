"""params/*.yaml as one validated `Config`: base.yaml, the environment's file over it, and what a run adds."""

from .files import (
    ENVIRONMENTS as ENVIRONMENTS,
)
from .files import (
    INJECTED as INJECTED,
)
from .files import (
    Config as Config,
)
from .files import (
    given as given,
)
from .files import (
    lay_over as lay_over,
)
from .files import (
    load as load,
)
from .files import (
    params_dir as params_dir,
)
from .files import (
    parse_assignment as parse_assignment,
)
from .files import (
    schema as schema,
)
