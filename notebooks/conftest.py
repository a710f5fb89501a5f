"""nbval compares with what simulated tasks gave: the stored outputs are the same on every machine."""

import os

os.environ.setdefault("SLPNB_ENGINE", "none")
