"""40_secrets: the key, the secrets for the database and WordPress, and the three roles that may use them."""

from . import policies as policies, roles as roles
from .step import (
    SALTS as SALTS,
    STEP as STEP,
    desired as desired,
    find_roles as find_roles,
    find_secrets as find_secrets,
    observe as observe,
    plan as plan,
    secret_name as secret_name,
    verify as verify,
)
