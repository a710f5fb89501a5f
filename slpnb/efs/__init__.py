"""30_efs: the shared uploads: an encrypted file system, its access point, a mount target in each zone."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
