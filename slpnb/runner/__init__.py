"""The runner: the notebooks in order with papermill, up to the first refusal, with a record and a report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
