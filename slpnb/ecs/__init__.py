"""ECS's rules, pure: what a task takes, where it goes, what a service does."""
