"""The mark of the tests that need a container engine: ``pytestmark = needs_engine``."""

from __future__ import annotations

import pytest

from slpnb import engine

WHY_NONE = engine.why_none()
needs_engine = pytest.mark.skipif(bool(WHY_NONE), reason=f"needs a container engine: {WHY_NONE}")
