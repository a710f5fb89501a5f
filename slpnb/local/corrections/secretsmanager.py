"""Secrets Manager: the name of a secret pending deletion is refused as AWS does: restore it, or wait.

moto says that the secret exists, which a caller takes for "made by an earlier run".
"""

from __future__ import annotations

from typing import Any

from moto.secretsmanager.exceptions import InvalidRequestException
from moto.secretsmanager.models import SecretsManagerBackend

from slpnb.local.base.replace import Corrected


class Secrets(Corrected, SecretsManagerBackend):
    """moto's Secrets Manager, which knows why a name is taken."""

    def create_secret(self, name: str, *args: Any, **kwargs: Any) -> str:
        """As moto; refused with another reason while the secret waits for its deletion."""
        if name in self.secrets and self.secrets[name].is_deleted():
            message = "You can't create this secret because a secret with this name is already scheduled for deletion."
            raise InvalidRequestException(message)
        return super().create_secret(name, *args, **kwargs)
