"""What a step is about. Whoever applies a plan loads only what its kinds of steps need."""


class ImageStep:
    """Builds, pushes, copies or pulls an image, or makes the repository for it."""


class PruneStep:
    """Deletes images, or deregisters revisions."""


class ValueStep:
    """Writes, deletes or restores a parameter or a secret."""


class RotationStep:
    """Brings a new password into use."""


class TaskStep:
    """Runs something in a container."""


class ServiceStep:
    """Registers a revision, brings the service to one, or watches it get there."""


class LockStep:
    """Changes the deploy lock by hand."""


class NetworkStep:
    """Changes a security group."""


class ScalingStep:
    """Changes what auto scaling keeps the service to."""


class StackStep:
    """Changes a CloudFormation stack, or what is in the way of its deletion."""


class Watching:
    """Watches, or notes what is a fact by then: it is in nobody's way and needs no lock."""
