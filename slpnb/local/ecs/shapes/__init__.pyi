"""What the ECS API answers: the scheduler's state and the requests behind it, in the API's shapes."""

from .clusters import capacity_provider as capacity_provider, cluster as cluster
from .container_instances import attributes as attributes, container_instance as container_instance
from .deployments import (
    all_deployments as all_deployments,
    deployment_arn as deployment_arn,
    revision_arn as revision_arn,
    service_deployment as service_deployment,
)
from .services import service as service, service_revision as service_revision
from .tasks import task as task
