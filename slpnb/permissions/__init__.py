"""What the operator must be permitted: the least IAM policy for a plan, for applying it, and for destroying."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
