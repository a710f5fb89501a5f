"""What the operator must be permitted: the least IAM policy for a plan, for applying it, and for destroying."""

from .operator import PURPOSES as PURPOSES, actions as actions, policies as policies
