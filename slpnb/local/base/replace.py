"""How a correction takes the place of moto's own class, without touching moto's files.

moto makes a backend from ``BackendDict.backend`` when it is first asked for one, finds the handler of a request
in a module's ``url_paths``, and a model by its name in ``models``: all are set here, once, before any request.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from moto.core.base_backend import BaseBackend
from moto.core.responses import BaseResponse


class Corrected:
    """Marks a subclass of one of moto's backends, responses or models: `install` puts it in the place of that one."""


def install(*packages: ModuleType) -> None:
    """Put every marked class of these packages in its place; again changes nothing."""
    for package in packages:
        for module in iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")
    for corrected in Corrected.__subclasses__():
        original = next(base for base in corrected.__mro__ if base.__module__.startswith("moto."))
        _replace(original, corrected)


def _replace(original: type, corrected: type) -> None:
    service = original.__module__.split(".")[1]
    urls, models = import_module(f"moto.{service}.urls"), import_module(f"moto.{service}.models")
    if issubclass(corrected, BaseBackend):
        corrected._url_module = urls  # type: ignore[assignment,method-assign]  # moto would look beside the class
        getattr(models, f"{service}_backends").backend = corrected
    elif issubclass(corrected, BaseResponse):
        for path, handler in urls.url_paths.items():
            if handler.__name__ == "dispatch":
                urls.url_paths[path] = corrected.dispatch
    else:
        setattr(models, original.__name__, corrected)
