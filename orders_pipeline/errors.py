"""The one family of errors. Each message names the thing that is wrong and what to do about it."""


class OrdersPipelineError(Exception):
    """Base of all errors that this package raises on purpose."""


class SettingsError(OrdersPipelineError):
    """An environment variable, or a combination of them, cannot be used."""


class ServiceStartError(OrdersPipelineError):
    """An embedded service did not start; the message carries the last lines of its log."""


class ServiceUnavailableError(OrdersPipelineError):
    """S3, Postgres, the lake or the disk did not work as it should: an outage, not held against a file."""


class ObjectChangedError(OrdersPipelineError):
    """The object is no longer the version that was listed; the new one is found by the next listing."""


class ArchivedError(OrdersPipelineError):
    """The object lies in an archive of S3, and can be read once it is restored: it is looked at again later."""


class MissingInputError(OrdersPipelineError):
    """What a step needs is not there: a day that was never built, an object that the lake has lost, files to be judged
    again first."""


class ReadError(OrdersPipelineError):
    """What `orders_pipeline.read` is asked for does not exist: a table, or days of it."""


class EmptyFileError(OrdersPipelineError):
    """There is nothing in a file to be read: it is ignored, and replaces nothing."""


class QuarantineError(OrdersPipelineError):
    """The bytes of a file cannot be read as orders. Settled at once: the file waits for a person.

    Args:
        code: short and fixed, one of `schema.QUARANTINES`, for machines and for counting.
        message: a sentence for the owner of the file: what was found, what was due.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
