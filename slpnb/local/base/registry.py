"""The image that CI has pushed, as declared: real OCI documents with true digests, and almost nothing inside.

An image index for linux/arm64 and linux/amd64, two manifests, two configs and one layer, made of
fixed text so that the digests never change: params/*.yaml name the index's. No image was built; what
ECS, ECR and the kit read of one (platforms, media types, digests, the config's architecture) is all
there is. Formats: OCI image specification 1.1, "Image Index", "Image Manifest", "Image Configuration".
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from functools import cache
from typing import Any

TAG = "1.0.0"
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"  # not compressed: gzip's bytes differ between versions of zlib
PLATFORMS = ("arm64", "amd64")
CREATED = "2026-03-02T09:00:00Z"


@dataclass(frozen=True)
class Blob:
    """Content by its digest, as a registry stores it; ``tags`` only for what was pushed with one."""

    content: bytes
    media_type: str
    tags: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """``sha256:`` and the hash of the content: what an image is addressed by."""
        return "sha256:" + hashlib.sha256(self.content).hexdigest()

    def descriptor(self, **more: Any) -> dict[str, Any]:
        """How another document refers to this one."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content), **more}


@dataclass(frozen=True)
class Upload:
    """What one push left in the registry: documents that ECR lists as images, and blobs beneath them."""

    images: tuple[Blob, ...]
    blobs: tuple[Blob, ...]

    def blob(self, digest: str) -> Blob | None:
        """The config or layer with this digest."""
        return next((blob for blob in self.blobs if blob.digest == digest), None)


@cache
def pushed(tag: str = TAG) -> Upload:
    """The declared image: its index under ``tag``, each platform's manifest under ``tag-platform``."""
    layer = Blob(_layer(tag), LAYER)
    configs = {platform: _document(_config(platform, tag, layer), CONFIG) for platform in PLATFORMS}
    manifests = {
        platform: _document(_manifest(config, layer), MANIFEST, f"{tag}-{platform}")
        for platform, config in configs.items()
    }
    index = _document(_index(manifests, tag), INDEX, tag)
    return Upload((index, *manifests.values()), (*configs.values(), layer))


def digest(tag: str = TAG) -> str:
    """The digest of the declared image's index: ``image.digest`` of params/*.yaml."""
    return pushed(tag).images[0].digest


def _index(manifests: dict[str, Blob], tag: str) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            manifest.descriptor(platform={"architecture": platform, "os": "linux"})
            for platform, manifest in manifests.items()
        ],
        "annotations": {"org.opencontainers.image.version": tag},
    }


def _manifest(config: Blob, layer: Blob) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
    }


def _config(platform: str, tag: str, layer: Blob) -> dict[str, Any]:
    return {
        "created": CREATED,
        "architecture": platform,
        "os": "linux",
        "config": {
            "ExposedPorts": {"80/tcp": {}},
            "Labels": {"org.opencontainers.image.title": "slp-saas", "org.opencontainers.image.version": tag},
            "WorkingDir": "/var/www/html",
        },
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
    }


def _document(content: dict[str, Any], media_type: str, *tags: str) -> Blob:
    return Blob(json.dumps(content, separators=(",", ":")).encode(), media_type, tags)


def _layer(tag: str) -> bytes:
    """A tar archive with one file, /var/www/html/VERSION.txt."""
    text = f"{tag}\n".encode()
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        file = tarfile.TarInfo("var/www/html/VERSION.txt")
        file.size = len(text)
        tar.addfile(file, io.BytesIO(text))
    return archive.getvalue()
