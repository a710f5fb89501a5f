"""What every notebook begins and ends with: `open` finds its parameters and its AWS, `conclude` gives its verdict."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
