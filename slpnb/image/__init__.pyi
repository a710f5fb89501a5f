"""10_image: the repository, and the image in it that everything else will run."""

from .step import (
    AMI_PARAMETERS as AMI_PARAMETERS,
)
from .step import (
    MEDIA_TYPES as MEDIA_TYPES,
)
from .step import (
    STEP as STEP,
)
from .step import (
    agreement as agreement,
)
from .step import (
    desired as desired,
)
from .step import (
    find_ami as find_ami,
)
from .step import (
    find_repository as find_repository,
)
from .step import (
    observe as observe,
)
from .step import (
    plan as plan,
)
from .step import (
    sides as sides,
)
from .step import (
    verify as verify,
)
