"""40_secrets: the key, the secrets of database and WordPress, and the three roles that may use them."""

from .step import (
    SALTS as SALTS,
)
from .step import (
    STEP as STEP,
)
from .step import (
    desired as desired,
)
from .step import (
    find_account as find_account,
)
from .step import (
    find_roles as find_roles,
)
from .step import (
    find_secrets as find_secrets,
)
from .step import (
    observe as observe,
)
from .step import (
    plan as plan,
)
from .step import (
    secret_name as secret_name,
)
from .step import (
    verify as verify,
)
