"""EC2 instance types as ECS sees them: what a container instance registers, and what it costs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
