"""The container engine of this machine: Docker, Podman or Finch, found and used through Docker's SDK."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
