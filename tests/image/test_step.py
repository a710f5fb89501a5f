from __future__ import annotations

import json

import pytest

from slpnb import image
from slpnb.aws import connect
from slpnb.errors import AwsError, Refusal
from slpnb.image import architecture, step
from slpnb.local.base import registry
from tests.conftest import again, cases

ARM64, AMD64 = (blob for blob in registry.pushed().images[1:])
ABSENT = "sha256:" + "1" * 64


def applied(aws):
    image.plan(image.desired(aws.config), image.observe(aws)).apply(aws)
    return aws


@pytest.fixture
def pushed(aws):
    return applied(aws)


@pytest.mark.parametrize("case", cases("image"))
def test_the_platforms_are_those_of_the_index(case):
    wanted = case["platforms"]
    assert architecture.platforms(case["manifest"]) == (None if wanted is None else tuple(wanted))


def test_the_repository_is_immutable_scanned_and_cleaned_up(pushed):
    ecr = pushed.client("ecr")
    (repository,) = ecr.describe_repositories(repositoryNames=["slp-saas-test"])["repositories"]
    assert repository["imageTagMutability"] == "IMMUTABLE"
    assert repository["imageScanningConfiguration"] == {"scanOnPush": True}
    assert repository["encryptionConfiguration"]["encryptionType"] == "AES256"
    (rule,) = json.loads(ecr.get_lifecycle_policy(repositoryName="slp-saas-test")["lifecyclePolicyText"])["rules"]
    assert rule["selection"]["countNumber"] == 20
    assert rule["selection"]["tagStatus"] == "tagged"  # the images of an index carry no tag


def test_what_changed_by_hand_is_put_back(pushed):
    ecr = pushed.client("ecr")
    ecr.put_image_tag_mutability(repositoryName="slp-saas-test", imageTagMutability="MUTABLE")
    ecr.put_image_scanning_configuration(
        repositoryName="slp-saas-test", imageScanningConfiguration={"scanOnPush": False}
    )
    ecr.delete_lifecycle_policy(repositoryName="slp-saas-test")
    want = image.desired(pushed.config)
    planned = image.plan(want, image.observe(pushed))
    assert "tag_mutability: MUTABLE -> IMMUTABLE" in repr(planned)
    assert "scan_on_push: false -> true" in repr(planned)
    assert "lifecycle_policy: absent -> " in repr(planned)
    assert not image.verify(pushed, want)
    planned.apply(pushed)
    assert image.verify(pushed, want)
    assert not image.plan(want, image.observe(pushed))


def test_more_images_are_kept_when_the_parameters_say_so(pushed):
    aws = again(pushed, image={"keep_images": 50})
    planned = image.plan(image.desired(aws.config), image.observe(aws))
    assert [call.operation for change in planned.pending for call in change.calls] == ["put_lifecycle_policy"]


def test_the_encryption_cannot_be_changed(pushed):
    aws = again(pushed, image={"encryption": "KMS"})
    with pytest.raises(Refusal, match="has encryption AES256, the parameters ask for KMS, and AWS cannot change it"):
        image.plan(image.desired(aws.config), image.observe(aws))


def test_a_repository_of_someone_else_is_left_alone(aws):
    aws = again(aws, image={"repository": "legacy-tools"})
    with pytest.raises(Refusal, match="repository legacy-tools exists already, and 10_image of this environment"):
        image.plan(image.desired(aws.config), image.observe(aws))
    assert not image.plan((), image.observe(aws))


def test_before_the_repository_exists_the_other_three_are_compared(aws):
    verdicts = image.agreement(aws.config, image.observe(aws))
    assert [verdict.status for verdict in verdicts] == ["OK", "SKIP", "OK", "OK"]
    assert "repository slp-saas-test does not exist yet" in repr(verdicts)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"task": {"architecture": "x86_64"}},
            "the task definition x86_64, the AMI x86_64, the instance type c6g.xlarge arm64",
        ),
        ({"cluster": {"instance_type": "c6i.large"}}, "such as c6g.xlarge, or task.architecture to x86_64"),
        ({"cluster": {"ami_parameter": image.AMI_PARAMETERS["x86_64"]}}, "choose an AMI for arm64"),
        ({"cluster": {"ami_parameter": "/company/ami"}}, "SSM parameter /company/ami names no AMI"),
    ],
)
def test_a_disagreement_is_refused_before_anything_is_created(aws, given, sentence):
    aws = again(aws, **given)
    with pytest.raises(Refusal, match=sentence):
        image.agreement(aws.config, image.observe(aws)).demand()
    with pytest.raises(Refusal, match=sentence):
        image.verify(aws, image.desired(aws.config))


def test_the_declared_image_is_found_with_both_platforms(pushed):
    found = image.observe(pushed)["image"]
    assert found.attributes["platforms"] == ("linux/amd64", "linux/arm64")
    assert found.attributes["tag_digest"] == pushed.config.image.digest
    assert image.verify(pushed, image.desired(pushed.config))


@pytest.mark.parametrize(("blob", "platform"), [(ARM64, "linux/arm64"), (AMD64, "linux/amd64")])
def test_a_single_manifest_is_asked_for_its_config(pushed, blob, platform):
    aws = again(pushed, image={"digest": blob.digest, "tag": blob.tags[0]})
    assert image.observe(aws)["image"].attributes["platforms"] == (platform,)


def test_an_image_for_the_other_architecture_is_refused_with_what_would_happen(pushed):
    aws = again(pushed, image={"digest": AMD64.digest, "tag": AMD64.tags[0]})
    with pytest.raises(Refusal) as refusal:
        image.verify(aws, image.desired(aws.config))
    assert "the image is linux/amd64, the task definition arm64, the AMI arm64" in str(refusal.value)
    assert "exec format error" in str(refusal.value)


def test_an_image_that_was_not_pushed_is_said_so(pushed):
    aws = again(pushed, image={"digest": ABSENT})
    verdicts = image.verify(aws, image.desired(aws.config))
    assert not verdicts
    assert f"image: {ABSENT} is not in repository slp-saas-test: push it first" in repr(verdicts)


def test_a_tag_on_another_image_is_not_the_declared_one(pushed):
    aws = again(pushed, image={"tag": ARM64.tags[0]})
    assert f"points to {ARM64.digest}, image.digest is {aws.config.image.digest}" in repr(
        image.verify(aws, image.desired(aws.config))
    )
    aws = again(pushed, image={"tag": "9.9.9"})
    assert "tag 9.9.9: no image has it" in repr(image.verify(aws, image.desired(aws.config)))


def test_a_config_that_is_not_what_its_digest_says_is_not_believed(pushed):
    digests = [json.loads(blob.content)["config"]["digest"] for blob in (ARM64, AMD64)]
    url = f"{pushed.endpoint_url}/slpnb/blobs/{digests[0]}"
    assert step._fetch(pushed, url, digests[0])
    with pytest.raises(AwsError, match="is not what its digest"):
        step._fetch(pushed, url, digests[1])


def test_on_aws_a_config_is_fetched_over_https_only(pushed):
    live = connect(pushed.config, endpoint_url=pushed.endpoint_url)
    live.endpoint_url = None
    with pytest.raises(AwsError, match="is not HTTPS"):
        step._fetch(live, "http://127.0.0.1/blob", "sha256:1")


def test_destroying_removes_the_repository_with_its_images_and_no_other(pushed):
    image.plan((), image.observe(pushed)).apply(pushed)
    names = {r["repositoryName"] for r in pushed.client("ecr").describe_repositories()["repositories"]}
    assert names == {"legacy-tools"}
    assert not image.plan((), image.observe(pushed))
