"""10_image: the repository, and the image in it that everything else runs.

The image is built and pushed by CI; this step maintains its repository and reads from it what the
declared digest is. Source: Amazon ECR User Guide ("Image tag mutability", "Automate the cleanup of
images by using lifecycle policies"), OCI image specification 1.1, docs/ecs-facts.md, "Images and AMIs".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from slpnb import catalog
from slpnb.aws import Aws, observation, same_observation, tag_list
from slpnb.config import Config
from slpnb.errors import AwsError
from slpnb.image import architecture
from slpnb.image.architecture import Sides
from slpnb.plan import Call, Found, Kind, Observed, Plan, Resource, Wanted, compare, fields, read_back
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

STEP = "10_image"
MEDIA_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
ABSENT = ("RepositoryNotFoundException",)
REPOSITORY = {
    "tag_mutability": "imageTagMutability",
    "scan_on_push": "imageScanningConfiguration.scanOnPush || `false`",
    "encryption": "encryptionConfiguration.encryptionType || 'AES256'",
}
NO_POLICY = (*ABSENT, "LifecyclePolicyNotFoundException")
CONFIG_LIMIT_BYTES = 4 * 1024 * 1024
AMI_PARAMETERS = {
    "arm64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id",
    "x86_64": "/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id",
}


def desired(config: Config) -> Wanted:
    """The repository. Pure."""
    image = config.image
    attributes = {
        "tag_mutability": "IMMUTABLE",
        "scan_on_push": True,
        "encryption": image.encryption,
        "lifecycle_policy": lifecycle_policy(image.keep_images),
    }
    reason = "the instances pull the image from it; a tag, once pushed, always means the same image"
    return (
        Resource("repository", "repository", image.repository, attributes, reason, config.tags(STEP, image.repository)),
    )


def lifecycle_policy(keep: int) -> dict[str, Any]:
    """ECR's rules to keep the newest ``keep`` tagged images. Pure.

    Untagged ones are left: in an index of several platforms they are the images themselves.
    """
    rule = {
        "rulePriority": 1,
        "description": f"keep {keep} tagged images",
        "selection": {
            "tagStatus": "tagged",
            "tagPatternList": ["*"],
            "countType": "imageCountMoreThan",
            "countNumber": keep,
        },
        "action": {"type": "expire"},
    }
    return {"rules": [rule]}


@observation
def observe(aws: Aws) -> Observed:
    """The repository, and what 50_cluster and 70_task depend on: the AMI, the declared image and its platforms."""
    found = find_ami(aws) | find_repository(aws)
    return found | find_image(aws) if "repository" in found else found


def find_repository(aws: Aws) -> dict[str, Found]:
    """The repository by its name. Facts: ``arn``, ``uri`` (what a task definition names, without a tag)."""
    name = aws.config.image.repository
    answer = aws.read("ecr", "describe_repositories", repositoryNames=[name], absent=ABSENT)
    return {"repository": _found_repository(aws, answer["repositories"][0])} if answer else {}


def _found_repository(aws: Aws, repository: Mapping[str, Any]) -> Found:
    name, arn = repository["repositoryName"], repository["repositoryArn"]
    tags = aws.read("ecr", "list_tags_for_resource", resourceArn=arn)
    policy = aws.read("ecr", "get_lifecycle_policy", repositoryName=name, absent=NO_POLICY)
    attributes = {
        **fields.read(REPOSITORY, repository),
        "lifecycle_policy": json.loads(policy["lifecyclePolicyText"]) if policy else None,
    }
    facts = {"arn": arn, "uri": repository["repositoryUri"]}
    step = aws.step_of(tags.get("tags"))
    return Found("repository", "repository", name, arn, attributes, step, facts)


def find_ami(aws: Aws) -> dict[str, Found]:
    """The AMI that the parameters name through Systems Manager; nothing when there is none. Read only."""
    name = ami_parameter(aws.config)
    answer = aws.read("ssm", "get_parameter", Name=name, absent=("ParameterNotFound",))
    if not answer:
        return {}
    missing = ("InvalidAMIID.NotFound", "InvalidAMIID.Malformed")
    images = aws.read("ec2", "describe_images", ImageIds=[answer["Parameter"]["Value"]], absent=missing)
    found = images.get("Images", [])
    return {"ami": _found_ami(found[0])} if found else {}


def _found_ami(image: Mapping[str, Any]) -> Found:
    attributes = {"architecture": image["Architecture"]}
    return Found("ami", "AMI", image.get("Name", ""), image["ImageId"], attributes)


def ami_parameter(config: Config) -> str:
    """The SSM parameter of the AMI: the one in the parameters, or the ECS-optimized one for the task's architecture."""
    return config.cluster.ami_parameter or AMI_PARAMETERS[config.task.architecture]


def find_image(aws: Aws) -> dict[str, Found]:
    """The declared digest in the repository: its platforms, and the digest that the declared tag points to."""
    image = aws.config.image
    document = _manifest(aws, {"imageDigest": image.digest})
    if document is None:
        return {}
    tagged = _manifest(aws, {"imageTag": image.tag})
    manifest = json.loads(document["imageManifest"])
    listed = architecture.platforms(manifest)
    attributes = {
        "platforms": (_platform(aws, manifest),) if listed is None else listed,
        "is_index": listed is not None,
        "tag_digest": tagged["imageId"]["imageDigest"] if tagged else None,
    }
    return {"image": Found("image", "image", f"{image.repository}:{image.tag}", image.digest, attributes)}


def find_tag(aws: Aws, tag: str) -> str:
    """The digest that a tag points to in the repository; empty when no image carries it."""
    found = _manifest(aws, {"imageTag": tag})
    return str(found["imageId"]["imageDigest"]) if found else ""


def _manifest(aws: Aws, image_id: Mapping[str, str]) -> dict[str, Any] | None:
    """The index or manifest of an image; None when the repository has no such digest or tag."""
    answer = aws.read(
        "ecr",
        "batch_get_image",
        repositoryName=aws.config.image.repository,
        imageIds=[image_id],
        acceptedMediaTypes=list(MEDIA_TYPES),
    )
    images = answer.get("images", [])
    for failure in answer.get("failures", []):
        if failure["failureCode"] not in ("ImageNotFound", "InvalidImageTag", "InvalidImageDigest"):
            raise AwsError(f"ecr batch_get_image: {failure['failureCode']}: {failure.get('failureReason', '')}")
    return dict(images[0]) if images else None


def _platform(aws: Aws, manifest: Mapping[str, Any]) -> str:
    """The platform of a single manifest, which only its config says."""
    digest = manifest["config"]["digest"]
    answer = aws.read(
        "ecr", "get_download_url_for_layer", repositoryName=aws.config.image.repository, layerDigest=digest
    )
    return architecture.platform_of(json.loads(_fetch(aws, answer["downloadUrl"], digest)))


def _fetch(aws: Aws, url: str, digest: str) -> bytes:
    """A small blob over HTTPS, checked against its digest; the embedded AWS gives it over HTTP on this machine."""
    embedded = aws.endpoint_url is not None
    if urlsplit(url).scheme != "https" and not embedded:
        raise AwsError(f"ecr get_download_url_for_layer: the URL of {digest} is not HTTPS")
    opener = build_opener(ProxyHandler({})) if embedded else build_opener()
    try:
        with opener.open(url, timeout=30) as answer:
            content = bytes(answer.read(CONFIG_LIMIT_BYTES))
    except (URLError, TimeoutError) as error:
        raise AwsError(f"ecr: the image's config {digest} could not be fetched: {error}") from error
    if "sha256:" + hashlib.sha256(content).hexdigest() != digest:
        raise AwsError(f"ecr: the image's config is not what its digest {digest} says")
    return content


def plan(want: Wanted, have: Observed) -> Plan:
    """What to write so that AWS holds what is wanted. Pure. Raises `Refusal` for a repository of someone else."""
    return compare(STEP, KINDS, want, have)


def sides(config: Config, have: Observed) -> Sides:
    """The architecture of image, task definition, AMI and instance type, from parameters and what exists. Pure."""
    image, ami = have.get("image"), have.get("ami")
    repository, digest = config.image.repository, config.image.digest
    unknown = f"repository {repository} does not exist yet: {STEP} creates it, then the image can be pushed"
    if "repository" in have:
        unknown = f"{digest} is not in repository {repository}: push it first"
    return Sides(
        image=image.attributes["platforms"] if image else None,
        image_is_index=image.attributes["is_index"] if image else True,
        image_missing="repository" in have,
        image_unknown=unknown,
        task=config.task.architecture,
        ami=ami.attributes["architecture"] if ami else None,
        ami_name=ami.name if ami else f"SSM parameter {ami_parameter(config)}",
        instance=catalog.instance_type(config.cluster.instance_type).architecture,
        instance_type=config.cluster.instance_type,
    )


def agreement(config: Config, have: Observed) -> Verdicts:
    """Whether the four agree; works even before the repository exists, when only the image is left out. Pure."""
    return architecture.agree(sides(config, have))


@same_observation
def verify(aws: Aws, want: Wanted) -> Verdicts:
    """Read the repository back, then require that the four agree and that the tag is the declared digest.

    Raises `Refusal` when two of the four disagree: nothing that follows could run.
    """
    have = observe(aws)
    agreed = agreement(aws.config, have)
    known = (verdict for verdict in agreed if verdict.subject != "image" or "image" in have)
    Verdicts.of(known).demand()
    return read_back(want, have) + agreed + Verdicts((_tag(aws.config, have),))


def _tag(config: Config, have: Observed) -> Verdict:
    image, subject = have.get("image"), f"tag {config.image.tag}"
    if image is None:
        return skip(subject, "the declared image is not there to compare with")
    if image.attributes["tag_digest"] is None:
        return ng(subject, f"no image has it; push {config.image.digest} with this tag")
    if image.attributes["tag_digest"] != config.image.digest:
        return ng(
            subject,
            f"points to {image.attributes['tag_digest']}, image.digest is {config.image.digest}: "
            "correct the one that is wrong; tags here are immutable",
        )
    return ok(subject, "points to the declared digest")


# --- how the repository is written --------------------------------------------------------------------------


def _create_repository(resource: Resource) -> list[Call]:
    own, tags = {"repositoryName": resource.name}, {"tags": tag_list(resource.tags)}
    params = own | fields.write(REPOSITORY, resource.attributes) | tags
    create = Call("ecr", "create_repository", params, {"id": "repository.repositoryArn"})
    return [create, *_set_repository(resource, frozenset({"lifecycle_policy"}))]


def _update_repository(resource: Resource, _found: Found, changed: frozenset[str]) -> list[Call]:
    return _set_repository(resource, changed)


def _set_repository(resource: Resource, changed: frozenset[str]) -> list[Call]:
    attributes, own = resource.attributes, {"repositoryName": resource.name}
    document = {"lifecyclePolicyText": json.dumps(attributes["lifecycle_policy"])}
    setters = {
        "tag_mutability": ("put_image_tag_mutability", fields.write(REPOSITORY, attributes, {"tag_mutability"})),
        "scan_on_push": ("put_image_scanning_configuration", fields.write(REPOSITORY, attributes, {"scan_on_push"})),
        "lifecycle_policy": ("put_lifecycle_policy", document),
    }
    return [Call("ecr", operation, own | params) for name, (operation, params) in setters.items() if name in changed]


def _delete_repository(found: Found) -> list[Call]:
    # With its images: CI made them and can push them again.
    return [Call("ecr", "delete_repository", {"repositoryName": found.name, "force": True}, gone=ABSENT)]


KINDS: dict[str, Kind] = {
    "repository": Kind(
        "ECR repository",
        _create_repository,
        _delete_repository,
        _update_repository,
        fixed=frozenset({"encryption"}),
    ),
}
