"""30_efs: the shared uploads: an encrypted file system, its access point, a mount target in each zone."""

from .mount import MOUNTING as MOUNTING, mountable as mountable, resolvable as resolvable, without_nfs as without_nfs
from .step import (
    STEP as STEP,
    desired as desired,
    observe as observe,
    plan as plan,
    preflight as preflight,
    verify as verify,
)
