"""The service as a visitor meets it, once its tasks are real containers: installed, asked, and looked at.

Nothing here is for a real account: there, visitors look for themselves, and `slpnb.installation`
is run on purpose.
"""

from __future__ import annotations

from pathlib import Path

from slpnb import installation, visit
from slpnb.aws import Aws
from slpnb.verdict import Verdict, Verdicts, ng, ok, skip

PICTURE = "wordpress.png"


def look(aws: Aws, folder: Path) -> Verdicts:
    """Install WordPress, ask for its front page over HTTPS, and save a picture of it in ``folder``.

    Empty without a front door. Raises `AwsError` when the installation does not end.
    """
    door = aws.front_door()
    if not door:
        return Verdicts()
    address = f"https://{aws.config.service.host_name}/"
    installed = installation.run(aws)
    return Verdicts((installed, _front_page(address, door), _picture(address, door, folder / PICTURE)))


def _front_page(address: str, door: str) -> Verdict:
    try:
        answer = visit.get(address, door)
    except OSError as error:
        return ng("front page", f"{address} at {door} does not answer: {error}")
    seen = f"{address} at {door} answers {answer.status}"
    if answer.status == 200 and "wp-content" in answer.text:
        return ok("front page", f"{seen}, a page of WordPress")
    return ng(
        "front page", f"{seen}{f', and leads to {answer.location}' if answer.location else ''}: no WordPress page"
    )


def _picture(address: str, door: str, file: Path) -> Verdict:
    if not visit.browser():
        return skip("picture", f"no browser of {', '.join(visit.BROWSERS)} on this machine: nothing was looked at")
    if visit.picture(address, door, file):
        return ok("picture", f"{file.name}: the front page, as a browser shows it")
    return ng("picture", f"{visit.browser()} showed nothing of {address} within {visit.PATIENCE_SECONDS} s")
