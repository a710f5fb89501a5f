"""40_secrets: the key, the secrets for the database and WordPress, and the three roles that may use them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
