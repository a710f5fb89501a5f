"""Tasks as containers: what the embedded ECS can do only with an engine.

Pure: `slpnb.engine.container_arguments` (a task definition as the engine's), `wording` (what an engine says, in
ECS's words), `checks` (health checks and their thresholds), `proxy` (the front door's settings). At
the edge: `tasks` (one task's containers), `companions` (database and front door), `edge` (all of it,
tied to the embedded ECS), `reaper` (which removes everything at the end, however it came about).
"""
