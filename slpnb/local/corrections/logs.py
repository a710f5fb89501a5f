"""CloudWatch Logs: a log group's key can be set and taken away; moto knows it at creation only."""

from __future__ import annotations

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.responses import LogsResponse

from slpnb.local.base.replace import Corrected


class GroupsResponse(Corrected, LogsResponse):
    """moto's answers, and those of the operations that it does not know."""

    def associate_kms_key(self) -> str:
        """AssociateKmsKey."""
        return self._set_key(self._get_param("kmsKeyId"))

    def disassociate_kms_key(self) -> str:
        """DisassociateKmsKey."""
        return self._set_key(None)

    def _set_key(self, key: str | None) -> str:
        name = self._get_param("logGroupName")
        if name not in self.logs_backend.groups:
            raise ResourceNotFoundException("The specified log group does not exist.")
        self.logs_backend.groups[name].kms_key_id = key
        return ""
