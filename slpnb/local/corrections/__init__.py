"""What moto gets wrong, corrected: one module per service, each with subclasses of moto's own classes.

What is corrected, and what AWS does instead, is stated where it is done; the list comes from docs/ecs-facts.md,
"moto". ECS has a room of its own, `slpnb.local.ecs`.
"""
