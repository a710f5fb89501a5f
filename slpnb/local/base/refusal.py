"""How the embedded AWS refuses a call."""

from moto.core.exceptions import ServiceException


class Refusal(ServiceException):
    """An error code and its message; the HTTP status is the one that botocore's service model has for the code."""
