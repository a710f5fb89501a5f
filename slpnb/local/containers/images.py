"""Which image of the engine stands for an image's name in a task definition."""

from __future__ import annotations

import json
import os
from typing import Any

from slpnb.engine import Engine
from slpnb.local.ecs_images import OWN
from slpnb.local.inprocess import backend

VARIABLE = "SLPNB_IMAGES"  # JSON: names, or digests, of a task definition to names of the engine's
DEFAULT = "localhost/slpnb-wordpress"


class Images:
    """The engine's images by the names of task definitions; what is not there is simulated."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.named: dict[str, str] = json.loads(os.environ.get(VARIABLE) or "{}")
        self._there: dict[str, bool] = {}

    def local(self, image: str) -> str:
        """The engine's name for an image; empty when it has none.

        By what was said of this name or its digest, else the very name, else, in the account's own
        registry, the image that the kit built under the tag that the digest has there.
        """
        tried = [self.named.get(image), self.named.get(image.partition("@")[2]), image, self._built(image)]
        return next((name for name in tried if name and self._has(name)), "")

    def _has(self, name: str) -> bool:
        if not self._there.get(name):  # one that was not there may have been built since
            from docker.errors import DockerException

            try:
                self.engine.client.images.get(name)
            except DockerException:
                return False
            self._there[name] = True
        return True

    def _built(self, image: str) -> str:
        named = OWN.match(image)
        repository = backend("ecr").repositories.get(named["name"]) if named else None
        if named is None or repository is None:
            return ""
        what = named["what"] or ":latest"
        tag = what[1:] if what[0] == ":" else _tag(repository, what[1:])
        return f"{DEFAULT}:{tag}" if tag else ""


def _tag(repository: Any, digest: str) -> str:
    """The tag that a digest has in a repository of the embedded ECR."""
    for one in repository.images:
        if one.get_image_digest() == digest:
            return next(iter(one.image_tags or ()), "")
    return ""
