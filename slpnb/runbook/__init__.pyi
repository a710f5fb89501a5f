"""What every notebook begins and ends with: `open` finds its parameters and its AWS, `conclude` gives its verdict."""

from .cells import parse_cells as parse_cells
from .notebook import (
    RECORD_TYPE as RECORD_TYPE,
    conclude as conclude,
    connect_backend as connect_backend,
    connect_embedded as connect_embedded,
    open as open,
    prepare as prepare,
    tell as tell,
)
