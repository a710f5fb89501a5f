"""The one way in which every step compares what is wanted with what AWS holds, shows it and applies it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
