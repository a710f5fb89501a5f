"""ECS's service scheduler and capacity providers as a pure, deterministic state machine."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
