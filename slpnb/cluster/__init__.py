"""50_cluster: the instances: launch template, Auto Scaling group, capacity provider, and the ECS cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
