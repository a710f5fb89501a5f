"""What happens to an image in the account's own registry: pulled, not found, or for another platform.

Images in other registries cannot be seen from here; they are assumed to be good. Texts: Amazon
ECS Developer Guide, "CannotPullContainer task errors"; docs/ecs-facts.md, "Stopped tasks and their reasons".
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ecr.models import ECRBackend

from slpnb.ecs.scheduler.state import Outcome
from slpnb.local.base import registry

OWN = re.compile(
    r"^(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[\w-]+)\.amazonaws\.com/(?P<name>[\w./-]+?)(?P<what>[:@].+)?$"
)
PLATFORMS = {"ARM64": "arm64", "X86_64": "amd64"}
RETRIED = "CannotPullContainerError: pull image manifest has been retried"


def fares(outcome: Outcome, image: str, cpu_architecture: str, own: ECRBackend) -> Outcome:
    """How a task with this image behaves: it fails where the image does. ``own`` is moto's ECR of the account."""
    named = OWN.match(image)
    if outcome.fails or named is None or (named["account"], named["region"]) != (own.account_id, own.region_name):
        return outcome
    manifest = _manifest(own, named["name"], named["what"] or ":latest")
    platform = PLATFORMS.get(cpu_architecture.upper())
    if manifest is None:
        return replace(outcome, fails=f"{RETRIED} 1 time(s): failed to resolve ref {image}: {image}: not found")
    if platform in (None, *_platforms(manifest)):
        return outcome
    if "manifests" not in manifest:  # pulled all the same, and then "exec format error"
        return replace(outcome, exits_after=0, exit_code=1)
    lacks = f"image Manifest does not contain descriptor matching platform 'linux/{platform}'"
    return replace(outcome, fails=f"{RETRIED} 5 time(s): {lacks}")


def _manifest(own: ECRBackend, name: str, what: str) -> Mapping[str, Any] | None:
    repository = own.repositories.get(name)
    tag, digest = (None, what[1:]) if what[0] == "@" else (what[1:].partition("@")[0], what.partition("@")[2] or None)
    if repository is None:
        return None
    try:
        found = repository._get_image(None if digest else tag, digest)
    except ServiceException:
        return None
    manifest: Mapping[str, Any] = json.loads(found.image_manifest)
    return manifest


def _platforms(manifest: Mapping[str, Any]) -> set[str | None]:
    """What an index, or the config of a single manifest, is for; None where nothing says so."""
    if "manifests" in manifest:
        return {one.get("platform", {}).get("architecture") for one in manifest["manifests"]}
    blob = registry.pushed().blob(manifest.get("config", {}).get("digest", ""))
    return {json.loads(blob.content).get("architecture")} if blob else set(PLATFORMS.values())
