"""params/*.yaml as one validated `Config`: base.yaml, the environment's file over it, and what a run adds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
