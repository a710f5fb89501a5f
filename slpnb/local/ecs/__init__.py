"""ECS with real capacity, in place of moto's."""
