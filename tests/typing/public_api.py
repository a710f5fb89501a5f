"""What the public API returns, as mypy sees it (`make lint`): it is never run."""

from __future__ import annotations

from typing import assert_type

import pandas as pd

from slpnb import catalog, efs, plan, runbook, sizing
from slpnb.aws import Aws
from slpnb.config import Config, load
from slpnb.verdict import Verdicts

config, aws = runbook.open("30_efs")
assert_type(config, Config)
assert_type(aws, Aws)
assert_type(load("staging"), Config)

wanted, found = efs.desired(config), efs.observe(aws)
assert_type(wanted, plan.Wanted)
assert_type(found, plan.Observed)
assert_type(efs.plan(wanted, found), plan.Plan)
assert_type(efs.plan(wanted, found).apply(aws, confirm="production"), plan.Applied)
assert_type(efs.verify(aws, wanted), Verdicts)

assert_type(catalog.registered_memory("c6i.large"), catalog.RegisteredMemory)
assert_type(sizing.memory_budget("c6i.large", [2560]), pd.DataFrame)
assert_type(sizing.refusals(config), Verdicts)
