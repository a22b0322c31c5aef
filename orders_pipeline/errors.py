"""All errors of this package. Each message names what is wrong and what to do about it."""

from orders_pipeline.text import LONGEST_MESSAGE, cut


class OrdersPipelineError(Exception):
    """Base of all errors that this package raises on purpose."""


class SettingsError(OrdersPipelineError):
    """An environment variable, or a combination of them, cannot be used."""


class SourcesError(OrdersPipelineError):
    """A declaration of sources cannot be used. Nothing was changed."""


class ServiceStartError(OrdersPipelineError):
    """An embedded service did not start; the message has the last lines of its log."""


class ServiceUnavailableError(OrdersPipelineError):
    """S3, Postgres, the lake or the disk failed: an outage, which does not count as an attempt at a file."""


class ObjectChangedError(OrdersPipelineError):
    """The object is no longer the version that was listed. The next listing finds the new one."""


class ArchivedError(OrdersPipelineError):
    """The object is in an archive tier of S3. It is tried again later, and can be read once it is restored."""


class MissingInputError(OrdersPipelineError):
    """An input of a step is missing: a day that was never built, a missing object, or files that must be revalidated
    first."""


class ReadError(OrdersPipelineError):
    """The table, or days of it, that `orders_pipeline.read` should return does not exist."""


class EmptyFileError(OrdersPipelineError):
    """A file is empty. It is ignored, and replaces nothing."""


class QuarantineError(OrdersPipelineError):
    """The bytes of a file cannot be read as orders. Not tried again: someone has to act.

    Args:
        code: short and fixed, one of `schema.QUARANTINES`.
        message: for the owner of the file: what was found, and what to do. It is cut if it is long.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(cut(f"{code}: {message}", LONGEST_MESSAGE))
        self.code = code
