"""What goes wrong with the schema registry, as this package's errors."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import RegistryUnavailableError, SchemaError
from streams.errors import RegistryAwayError, SchemasError


@contextmanager
def registry_errors() -> Iterator[None]:
    """Raises: RegistryAwayError without an answer, SchemasError for everything that another try cannot mend."""
    try:
        yield
    except RegistryUnavailableError as error:
        raise RegistryAwayError(str(error)) from error
    except SchemaError as error:
        raise SchemasError(str(error)) from error
