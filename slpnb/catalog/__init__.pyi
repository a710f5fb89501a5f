"""EC2 instance types as ECS sees them: what a container instance registers, and what it costs."""

from .instance_types import (
    COLUMNS as COLUMNS,
)
from .instance_types import (
    CPU_UNITS_PER_VCPU as CPU_UNITS_PER_VCPU,
)
from .instance_types import (
    DATA as DATA,
)
from .instance_types import (
    InstanceType as InstanceType,
)
from .instance_types import (
    RegisteredMemory as RegisteredMemory,
)
from .instance_types import (
    errors as errors,
)
from .instance_types import (
    instance_type as instance_type,
)
from .instance_types import (
    measured as measured,
)
from .instance_types import (
    own_file as own_file,
)
from .instance_types import (
    registered_memory as registered_memory,
)
from .instance_types import (
    reload as reload,
)
from .instance_types import (
    table as table,
)
from .instance_types import (
    types as types,
)
