"""Several services packed together, and the proven bound on how few instances that takes."""

from .answer import Shared as Shared, share as share
from .services import (
    Batch as Batch,
    Demand as Demand,
    Objective as Objective,
    Packing as Packing,
    candidates as candidates,
    empties as empties,
    misfits as misfits,
    nearest as nearest,
    pack as pack,
    priced as priced,
)
