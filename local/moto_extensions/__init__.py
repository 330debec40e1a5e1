"""What moto lacks and the stack needs, added to moto's own classes; each module has one `install`.

Installed once, where moto's application is made. A newer moto that has an operation wins: nothing that
exists is replaced here.
"""

from local.moto_extensions import efs


def install() -> None:
    """Add every extension; a second call changes nothing."""
    efs.install()
