"""KMS: a key's deletion can be scheduled by its ARN, and the answer is a date in the key's own state.

moto looks a key up by its id only, in this one operation (field-notes.md).
"""

from __future__ import annotations

import json

from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse

from slpnb.local.corrections.replace import Corrected, replace_backend, replace_responses


class Keys(Corrected, KmsBackend):
    """moto's KMS; any form of a key's name serves."""

    def schedule_key_deletion(self, key_id: str, pending_window_in_days: int) -> float:
        """As moto, for an ARN too."""
        return super().schedule_key_deletion(self.any_id_to_key_id(key_id), pending_window_in_days)

    def cancel_key_deletion(self, key_id: str) -> None:
        """As moto, for an ARN too."""
        super().cancel_key_deletion(self.any_id_to_key_id(key_id))


class KeysResponse(KmsResponse):
    """moto's answers, with the state and the waiting time."""

    def schedule_key_deletion(self) -> str:
        """As moto, and what AWS says besides."""
        answer = json.loads(super().schedule_key_deletion())
        days = self._get_param("PendingWindowInDays") or 30
        return json.dumps({**answer, "KeyState": "PendingDeletion", "PendingWindowInDays": days})


def install() -> None:
    """Replace moto's KMS."""
    replace_backend("kms", Keys)
    replace_responses("kms", KeysResponse)
