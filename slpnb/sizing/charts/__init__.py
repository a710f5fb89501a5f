"""The charts of the sizing questions: a table in, a Figure out; `show` displays it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
