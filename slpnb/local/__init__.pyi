"""The embedded AWS: an account to try the runbook on, in a process of its own."""

from .client import (
    ENDPOINT_VARIABLE as ENDPOINT_VARIABLE,
    PACE as PACE,
    Embedded as Embedded,
    EmbeddedError as EmbeddedError,
    advance as advance,
    ensure as ensure,
    health as health,
    real as real,
    reset as reset,
    snapshot as snapshot,
    start as start,
    writes as writes,
)
