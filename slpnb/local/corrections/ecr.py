"""ECR: an image's digest is the hash of its manifest, and the image that CI pushed is there.

moto makes up a digest from the layers' digests or at random, and has no blobs and no URL to fetch them
from. CI pushes into a repository as soon as it exists: so does this backend (`slpnb.local.base.registry`).
"""

from __future__ import annotations

import hashlib
from typing import Any

from moto.core.responses import ActionResult
from moto.ecr.exceptions import ImageNotFoundException
from moto.ecr.models import ECRBackend, Image, Repository
from moto.ecr.responses import ECRResponse

from slpnb.local.base import registry
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected

FOREIGN = "legacy"  # other people's repositories, which this service's CI does not push to


class Registry(Corrected, ECRBackend):
    """moto's registry, with true digests."""

    def create_repository(self, repository_name: str, *args: Any, **kwargs: Any) -> Repository:
        """As moto; then CI's image arrives."""
        repository = super().create_repository(repository_name, *args, **kwargs)
        if not repository_name.startswith(FOREIGN):
            self._receive(repository, registry.pushed())
        return repository

    def _receive(self, repository: Repository, pushed: registry.Upload) -> None:
        repository.layers |= {blob.digest: len(blob.content) for blob in pushed.blobs}
        for image in pushed.images:
            for tag in image.tags or (None,):
                self.put_image(repository.name, image.content.decode(), tag, image.media_type)  # type: ignore[arg-type]

    def put_image(
        self,
        repository_name: str,
        image_manifest: str,
        image_tag: str,
        image_manifest_mediatype: str | None = None,
        digest: str | None = None,
    ) -> Image:
        """As moto, under the manifest's own digest; another one is refused."""
        self._get_repository(repository_name)  # moto raises a bare Exception for a missing one
        true = "sha256:" + hashlib.sha256(image_manifest.encode()).hexdigest()
        if digest not in (None, true):
            message = f"The provided imageDigest '{digest}' does not match the actual image digest '{true}'"
            raise Refusal("ImageDigestDoesNotMatchException", message)
        return super().put_image(repository_name, image_manifest, image_tag, image_manifest_mediatype, true)

    def batch_get_image(
        self, repository_name: str, registry_id: str | None = None, image_ids: list[dict[str, Any]] | None = None
    ) -> dict[str, Any]:
        """As moto, but a failure names the digest that was asked for."""
        answer = super().batch_get_image(repository_name, registry_id, image_ids)
        missing = [ids for ids in image_ids or () if not self._has(repository_name, ids)]
        for failure, ids in zip(answer["failures"], missing, strict=True):
            failure["imageId"] = ids
        return answer

    def _has(self, repository_name: str, ids: dict[str, Any]) -> bool:
        try:
            self.repositories[repository_name]._get_image(ids.get("imageTag"), ids.get("imageDigest"))
        except ImageNotFoundException:
            return False
        return True


class RegistryResponse(Corrected, ECRResponse):
    """moto's answers, and the URL of a layer or config."""

    def get_download_url_for_layer(self) -> ActionResult:  # type: ignore[override]
        """A URL of this server itself; AWS gives one of S3 that needs no credentials either."""
        repository = self.ecr_backend._get_repository(self._get_param("repositoryName"))
        digest = self._get_param("layerDigest")
        if digest not in repository.layers:
            message = f"The layers with digest '{digest}' could not be found in the repository"
            raise Refusal("LayersNotFoundException", message)
        url = f"http://{self.headers['Host']}/slpnb/blobs/{digest}"
        return ActionResult({"downloadUrl": url, "layerDigest": digest})
