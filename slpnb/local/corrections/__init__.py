"""What moto gets wrong, put right: one module a service, each with subclasses of moto's own classes.

`install` puts them in moto's place. What is corrected, and what AWS does instead, is said where it is
done; the list comes from field-notes.md ("moto 5.2.5"). ECS has a package of its own, `slpnb.local.ecs`.
"""

from __future__ import annotations

from importlib.util import find_spec

from slpnb.local import clock
from slpnb.local.corrections import ecr


def install() -> None:
    """Put every correction in moto's place, before any backend exists."""
    ecr.install()
    if find_spec("slpnb.local.ecs"):
        from slpnb.local import ecs

        ecs.install()
        clock.listen(ecs.advance)
