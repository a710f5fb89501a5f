"""The one engine of every step: compare what is wanted with what AWS holds, show it, apply it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
