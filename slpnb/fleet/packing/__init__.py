"""Several services packed together, and the proven bound on how few instances that takes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
