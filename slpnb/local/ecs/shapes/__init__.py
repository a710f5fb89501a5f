"""What the ECS API answers: the scheduler's state and the requests behind it, in the API's shapes.

Source: the service model that botocore ships (ecs, 2014-11-13).
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
