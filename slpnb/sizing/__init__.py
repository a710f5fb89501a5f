"""Which task on which instances, how many, with what left, and does it work while it is updated."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
