"""00_start: who is calling, what exists, and every refusal that follows, before anything is created."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
