"""params/*.yaml as one validated `Config`: base.yaml, the environment's file over it, and what a run adds."""

from .files import (
    INJECTED as INJECTED,
    Config as Config,
    given as given,
    lay_over as lay_over,
    load as load,
    params_dir as params_dir,
    schema as schema,
)
