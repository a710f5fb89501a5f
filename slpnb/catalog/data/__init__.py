"""Facts about EC2 instance types, shipped with their sources and licences (see README.md here)."""
