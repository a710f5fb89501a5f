"""What can go wrong, typed: one sentence each, and the exit code that goes with it.

Inside Jupyter these errors print their sentence without a traceback: the reader made a
mistake or AWS said no, and the frames in between would teach nothing.
"""

from __future__ import annotations

from typing import ClassVar


class SlpnbError(Exception):
    """An error that the user can act on. ``str(error)`` is one clear sentence, or a line for each problem."""

    exit_code: ClassVar[int] = 1

    def _render_traceback_(self) -> list[str]:  # IPython's hook for what a cell shows
        return [f"{type(self).__name__}: {self}"]


class ParameterError(SlpnbError):
    """A parameter is unknown, of the wrong unit, or contradicts another one."""

    exit_code = 2


class Refusal(SlpnbError):  # noqa: N818 - it is the kit's product, not an error of the user's
    """AWS would accept the request and then leave it stuck, so the kit does not send it."""

    exit_code = 3


class GuardError(SlpnbError):
    """The parameters name no account, or the caller is in another account or region than they name."""

    exit_code = 4


class AwsError(SlpnbError):
    """AWS denied, throttled or failed a call; says what was done and what was not.

    ``brief`` names the call and AWS's code alone, without ids: what a check that goes on without the answer shows.
    """

    exit_code = 5

    def __init__(self, message: str, brief: str = "") -> None:
        super().__init__(message)
        self.brief = brief or message


class VerificationError(SlpnbError):
    """What AWS holds after applying is not what was wanted."""

    exit_code = 6


EXIT_CODES = {error.__name__: error.exit_code for error in SlpnbError.__subclasses__()}
