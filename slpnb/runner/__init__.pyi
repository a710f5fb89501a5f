"""The runner: the notebooks in order with papermill, up to the first refusal, with a record and a report."""

from .sequence import (
    TEARDOWN as TEARDOWN,
    RunOptions as RunOptions,
    choose as choose,
    conclude as conclude,
    find as find,
    refresh as refresh,
    resume as resume,
    run as run,
    shown as shown,
    to_refresh as to_refresh,
)
