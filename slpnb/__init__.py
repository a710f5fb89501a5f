"""slpnb: a runbook kit that moves a WordPress multisite SaaS to Amazon ECS on EC2."""

__version__ = "0.1.0"
