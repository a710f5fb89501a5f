"""Which image of the engine stands for an image's name in a task definition."""

from __future__ import annotations

from typing import Any

from docker.errors import DockerException

from slpnb.engine import IMAGE, Engine
from slpnb.local.base.inprocess import backend
from slpnb.local.ecs.images import OWN


class Images:
    """The engine's images by the names in task definitions; what is missing is simulated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._there: dict[str, str] = {}

    def local(self, image: str) -> str:
        """The engine's name for an image; empty when it has none.

        The very name, else, in the account's own registry, the image that the kit built under the tag that the
        digest has there.
        """
        if image and self._architecture(image):
            return image
        return next((name for name in self._built(image) if self._runs_here(name)), "")

    def _runs_here(self, name: str) -> bool:
        """An image the kit built for another machine is not run here; one that a definition names itself always is."""
        return self._architecture(name) == self.engine.architecture

    def _architecture(self, name: str) -> str:
        """An image's architecture; empty if there is no such image. Looked up each time: it may be built later."""
        if not self._there.get(name):
            try:
                self._there[name] = self.engine.client.images.get(name).attrs.get("Architecture") or "unknown"
            except DockerException:
                return ""
        return self._there[name]

    def _built(self, image: str) -> list[str]:
        named = OWN.match(image)
        repository = backend("ecr").repositories.get(named["name"]) if named else None
        if named is None or repository is None:
            return []
        what = named["what"] or ":latest"
        tag = what[1:] if what[0] == ":" else _tag(repository, what[1:])
        return [f"{IMAGE}:{tag}", f"{IMAGE}:{tag}-{self.engine.architecture}"] if tag else []


def _tag(repository: Any, digest: str) -> str:
    """The tag that a digest has in a repository of the embedded ECR."""
    for one in repository.images:
        if one.get_image_digest() == digest:
            return next(iter(one.image_tags or ()), "")
    return ""
