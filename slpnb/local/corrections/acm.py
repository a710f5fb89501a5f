"""ACM: a certificate knows which load balancers use it, and is not deleted while one does.

Source: docs/ecs-facts.md, "moto".
"""

from __future__ import annotations

from typing import Any

from moto.acm.models import AWSCertificateManagerBackend, CertBundle

from slpnb.local.base.inprocess import backend
from slpnb.local.base.refusal import Refusal
from slpnb.local.base.replace import Corrected


class Certificates(Corrected, AWSCertificateManagerBackend):
    """moto's ACM, which asks the load balancers."""

    def delete_certificate(self, arn: str) -> None:
        """As moto; refused while a listener uses it."""
        if load_balancers(arn):
            raise Refusal("ResourceInUseException", f"Certificate {arn} in account is in use.")
        super().delete_certificate(arn)

    def get_certificate(self, arn: str) -> CertBundle:
        """As moto, with its users up to date."""
        return _with_users(super().get_certificate(arn))

    def list_certificates(self, *args: Any, **kwargs: Any) -> Any:
        """As moto, with the users of each up to date."""
        for bundle in self._certificates.values():
            _with_users(bundle)
        return super().list_certificates(*args, **kwargs)


def load_balancers(arn: str) -> list[str]:
    """ARNs of the load balancers with a listener that has this certificate."""
    return [
        balancer.arn
        for balancer in backend("elbv2").load_balancers.values()
        if any(arn in listener.certificates for listener in balancer.listeners.values())
    ]


def _with_users(bundle: CertBundle) -> CertBundle:
    bundle.in_use_by = load_balancers(bundle.arn)
    return bundle
