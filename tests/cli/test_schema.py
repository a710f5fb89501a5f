"""``slpnb schema``."""

from __future__ import annotations

import json

from tests.cli.conftest import call


def test_the_schema_knows_every_section():
    document = json.loads(call("schema").output)
    assert {"task", "service", "efs"} <= document["properties"].keys()
