"""Do image, task definition, AMI and instance type agree on the CPU architecture?

AWS checks each of the four on its own, when it is used, and says the least where it matters most: an
image of the wrong architecture is pulled and started, and its container dies with one line in the
log. Pure. Source: docs/ecs-facts.md, "Stopped tasks and their reasons", Amazon ECS Developer Guide
("Working with 64-bit ARM workloads on Amazon ECS"), OCI image specification 1.1 ("Image Index").
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

PLATFORM = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}  # EC2's word, and the one of images
EXAMPLE = {"arm64": "c6g.xlarge", "x86_64": "c6i.xlarge"}


@dataclass(frozen=True)
class Sides:
    """The architectures that the four sides are for.

    ``image`` are the platforms of the image, such as ``("linux/amd64", "linux/arm64")``; None when
    there is none yet, and ``image_unknown`` says why: then the check is skipped, or fails when
    the repository is there and the image is not (``image_missing``). ``image_is_index`` tells an
    image index, of which the right platform is picked, from a single manifest, which is taken as
    it is. ``task``, ``ami`` and ``instance`` are ``arm64`` or ``x86_64``; ``ami`` is None when
    ``ami_name`` names none.
    """

    image: tuple[str, ...] | None
    task: str
    ami: str | None
    instance: str
    instance_type: str
    ami_name: str = "ECS-optimized AMI"
    image_is_index: bool = True
    image_missing: bool = False
    image_unknown: str = "no image has been pushed yet"

    def __str__(self) -> str:
        image = "not pushed yet" if self.image is None else ", ".join(self.image) or "of no platform"
        return (
            f"the image is {image}, the task definition {self.task}, the AMI {self.ami or 'unknown'}, "
            f"the instance type {self.instance_type} {self.instance}"
        )


def with_image(sides: Sides, *image: str) -> Sides:
    """The same with another image, one with a single manifest: to see what the check would say of it."""
    return replace(sides, image=image, image_is_index=False)


def other_platform(sides: Sides) -> str:
    """The platform that the task definition is not for."""
    return next(platform for name, platform in PLATFORM.items() if name != sides.task)


def agree(sides: Sides) -> Verdicts:
    """One verdict for each of the four, each compared with the task definition, which says what is to run.

    A failed one names all four, what AWS would do, and what to change.
    """
    return Verdicts((_task(sides), _image(sides), _ami(sides), _instance(sides)))


def platforms(manifest: dict[str, Any]) -> tuple[str, ...] | None:
    """The platforms of an image index or manifest list, sorted; None for a single manifest, whose config says it.

    Entries of platform ``unknown/unknown`` are attestations that BuildKit adds, not images.
    """
    if "manifests" not in manifest:
        return None
    found = {platform_of(entry.get("platform", {})) for entry in manifest["manifests"]}
    return tuple(sorted(found - {"unknown/unknown"}))


def platform_of(entry: dict[str, Any]) -> str:
    """The platform of an index's entry, or the one that an image's config was built for."""
    return f"{entry.get('os', 'unknown')}/{entry.get('architecture', 'unknown')}"


def _task(sides: Sides) -> Verdict:
    return ok("task definition", f"{sides.task} (task.architecture): the other three are checked against it")


def _image(sides: Sides) -> Verdict:
    platform = PLATFORM[sides.task]
    if sides.image is None:
        return (ng if sides.image_missing else skip)("image", sides.image_unknown)
    if platform in sides.image:
        index = f", in its index next to {', '.join(others)}" if (others := _others(sides, platform)) else ""
        return ok("image", f"{platform}{index}")
    what = _not_pulled(platform) if sides.image_is_index else _dies()
    change = f"build and push it for {platform} (docker buildx build --platform {platform})"
    return ng("image", f"{sides}: {what}; {change}{_or_follow(sides)}")


def _others(sides: Sides, platform: str) -> list[str]:
    return [other for other in sides.image or () if other != platform]


def _or_follow(sides: Sides) -> str:
    """The other way out: match the task and the instances to the image."""
    for architecture, platform in PLATFORM.items():
        if platform in (sides.image or ()):
            return f", or set task.architecture to {architecture} and cluster.instance_type to {EXAMPLE[architecture]}"
    return ""


def _not_pulled(platform: str) -> str:
    return (
        "no task would start: CannotPullContainerError, "
        f"image Manifest does not contain descriptor matching platform '{platform}'"
    )


def _dies() -> str:
    return (
        "the container would die with `exec /...: exec format error`, exit code 1, and the stopped reason "
        "would say only 'Essential container in task exited'"
    )


def _ami(sides: Sides) -> Verdict:
    if sides.ami is None:
        what = f"{sides.ami_name} names no AMI: no instance could be launched; correct cluster.ami_parameter"
        return ng("AMI", what)
    if sides.ami == sides.task:
        return ok("AMI", f"{sides.ami}: {sides.ami_name}")
    change = f"choose an AMI for {sides.task}, or leave cluster.ami_parameter empty"
    return ng("AMI", f"{sides}: {_wrong_instance(sides)}; {change}")


def _instance(sides: Sides) -> Verdict:
    if sides.instance == sides.task:
        return ok("instance type", f"{sides.instance}: {sides.instance_type}")
    change = (
        f"set cluster.instance_type to one that is {sides.task}, such as {EXAMPLE[sides.task]}, "
        f"or task.architecture to {sides.instance}"
    )
    return ng("instance type", f"{sides}: {_wrong_instance(sides)}; {change}")


def _wrong_instance(sides: Sides) -> str:
    if sides.ami == sides.instance:
        return (
            f"the task would never be placed: ECS would report for each {sides.instance_type} that it "
            "'is missing an attribute required by your task'"
        )
    return "no instance would be launched: EC2 refuses an AMI whose architecture is not the instance type's"
