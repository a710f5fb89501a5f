"""What moto gets wrong, put right: one module a service, each a subclass of moto's own backend."""

from __future__ import annotations


def install() -> None:
    """Put every correction in moto's place, before any backend exists."""
    try:
        from slpnb.local import ecs
    except ImportError:
        return
    from slpnb.local import clock

    ecs.install()
    clock.listen(ecs.advance)
