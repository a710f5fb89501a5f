"""80_service: the service behind its load balancer, its scaling, its alarms and its name."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
