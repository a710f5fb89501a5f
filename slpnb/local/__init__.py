"""The embedded AWS: an account to try the runbook on, in a process of its own, with nothing to pay and nothing to lose.

moto's server with the company's existing resources in it (`slpnb.local.account.seed`), with what moto gets
wrong put right (`slpnb.local.corrections`), and with ECS capacity (`slpnb.local.ecs.model`). This package
imports neither moto nor werkzeug until `slpnb.local.server.main` runs in the child process.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
