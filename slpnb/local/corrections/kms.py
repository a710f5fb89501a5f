"""KMS: a key's deletion can be scheduled by its ARN, and the answer is a date in the key's own state.

moto looks a key up by its id only, in this one operation (docs/ecs-facts.md, "moto"), and makes an RSA key pair
for symmetric keys too (35 ms each).
"""

from __future__ import annotations

import json
from typing import Any

from moto.kms import models
from moto.kms.models import Alias, KmsBackend
from moto.kms.responses import KmsResponse
from moto.kms.utils import KeySpec, generate_private_key

from slpnb.local.base.replace import Corrected


class Keys(Corrected, KmsBackend):
    """moto's KMS; any form of a key's name serves."""

    def create_alias(self, target_key_id: str, alias_name: str) -> Alias:
        """As moto; a key that a service makes for itself (alias/aws/ebs) is AWS's, not the customer's."""
        alias = super().create_alias(target_key_id, alias_name)
        if alias_name.startswith("alias/aws/"):
            self.keys[self.get_key_id(target_key_id)].key_manager = "AWS"
        return alias

    def schedule_key_deletion(self, key_id: str, pending_window_in_days: int) -> float:
        """As moto, for an ARN too."""
        return super().schedule_key_deletion(self.any_id_to_key_id(key_id), pending_window_in_days)

    def cancel_key_deletion(self, key_id: str) -> None:
        """As moto, for an ARN too."""
        super().cancel_key_deletion(self.any_id_to_key_id(key_id))


class KeysResponse(Corrected, KmsResponse):
    """moto's answers, with the state and the waiting time."""

    def schedule_key_deletion(self) -> str:
        """As moto, and what AWS adds."""
        answer = json.loads(super().schedule_key_deletion())
        days = self._get_param("PendingWindowInDays") or 30
        return json.dumps({**answer, "KeyState": "PendingDeletion", "PendingWindowInDays": days})


def key_pair(key_spec: str) -> Any:
    """The key pair of an asymmetric key; a symmetric one has none."""
    return None if key_spec == KeySpec.SYMMETRIC_DEFAULT else generate_private_key(key_spec)


models.generate_private_key = key_pair  # type: ignore[attr-defined]
