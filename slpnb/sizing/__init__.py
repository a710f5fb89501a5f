"""Which task fits which instances, how many times, what is left, and whether an update works."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
