"""EC2 instance types as ECS sees them: what a container instance registers, and what it costs."""

from .instance_types import (
    COLUMNS as COLUMNS,
    CPU_UNITS_PER_VCPU as CPU_UNITS_PER_VCPU,
    DATA as DATA,
    InstanceType as InstanceType,
    RegisteredMemory as RegisteredMemory,
    errors as errors,
    instance_type as instance_type,
    measured as measured,
    own_file as own_file,
    registered_memory as registered_memory,
    reload as reload,
    table as table,
    types as types,
)
