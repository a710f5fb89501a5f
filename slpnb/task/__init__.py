"""70_task: the task definition, registered whole from the parameters, and the log that its container writes."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
