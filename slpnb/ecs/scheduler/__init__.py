"""ECS's service scheduler and capacity providers as a pure, deterministic state machine."""
