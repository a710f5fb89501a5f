"""What every notebook begins and ends with: `open` finds its parameters and its AWS, `conclude` gives its verdict."""

from .notebook import (
    RECORD_TYPE as RECORD_TYPE,
)
from .notebook import (
    STEPS as STEPS,
)
from .notebook import (
    conclude as conclude,
)
from .notebook import (
    connect_backend as connect_backend,
)
from .notebook import (
    connect_embedded as connect_embedded,
)
from .notebook import (
    open as open,
)
from .notebook import (
    parse_cells as parse_cells,
)
from .notebook import (
    prepare as prepare,
)
from .notebook import (
    step as step,
)
from .notebook import (
    tell as tell,
)
