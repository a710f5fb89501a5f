"""The mark of the tests that need a container engine: ``pytestmark = needs_engine``."""

from __future__ import annotations

import pytest

from slpnb import engine
from slpnb.engine import trial


def _why_none() -> str:
    found = engine.find()
    if found is None:
        return engine.why_none()
    with found:
        return trial.why_not(found)


WHY_NONE = _why_none()
needs_engine = pytest.mark.skipif(bool(WHY_NONE), reason=f"needs a container engine: {WHY_NONE}")
