"""10_image: the repository, and the image in it that everything else runs."""

from . import architecture as architecture
from .step import (
    AMI_PARAMETERS as AMI_PARAMETERS,
    MEDIA_TYPES as MEDIA_TYPES,
    STEP as STEP,
    agreement as agreement,
    desired as desired,
    find_ami as find_ami,
    find_repository as find_repository,
    observe as observe,
    plan as plan,
    sides as sides,
    verify as verify,
)
