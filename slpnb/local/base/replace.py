"""How a correction takes the place of moto's own class, without touching moto's files.

moto makes a backend from ``BackendDict.backend`` when it is first asked for one, and finds the handler
of a request in a module's ``url_paths``: both are set here, once, before any request.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Corrected:
    """Mixed into a corrected backend, so that moto looks for its URLs where they are: next to its own class."""

    @property
    def _url_module(self) -> Any:
        moto = next(base.__module__ for base in type(self).__mro__ if base.__module__.startswith("moto."))
        return import_module(f"moto.{moto.split('.')[1]}.urls")


def replace_backend(service: str, corrected: type) -> None:
    """Make every backend of ``service`` from ``corrected``, a subclass of moto's class."""
    module = import_module(f"moto.{service}.models")
    getattr(module, f"{service}_backends").backend = corrected


def replace_responses(service: str, corrected: Any) -> None:
    """Let ``corrected``, a subclass of moto's response class, answer every URL of ``service``."""
    module = import_module(f"moto.{service}.urls")
    module.url_paths = {  # type: ignore[attr-defined]
        path: corrected.dispatch if handler.__name__ == "dispatch" else handler
        for path, handler in module.url_paths.items()
    }


def replace_model(service: str, name: str, corrected: Any) -> None:
    """Let moto's backend of ``service`` use ``corrected`` where it used its own class or function ``name``."""
    setattr(import_module(f"moto.{service}.models"), name, corrected)
