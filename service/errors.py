"""The errors a client may see. Each is answered as JSON under /api, as a page elsewhere."""

from http import HTTPStatus


class ServiceError(Exception):
    """A request that ends without success, for a reason we know.

    Attributes:
        status: the HTTP status.
        code: a word for programs; part of the API.
        message: a sentence for people, without personal data.
        fields: a sentence for each field at fault; empty when none is.
        headers: further response headers.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        message: str,
        *,
        fields: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields or {}
        self.headers = headers or {}


class InvalidFieldsError(ServiceError):
    """The values were read and are no registration."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(
            HTTPStatus.BAD_REQUEST,
            "invalid_fields",
            "Some fields need a correction.",
            fields=fields,
        )


class EmailTakenError(ServiceError):
    """The email is registered with other data, which stays undisclosed."""

    def __init__(self) -> None:
        message = "This email is already registered with other details."
        super().__init__(
            HTTPStatus.CONFLICT,
            "email_taken",
            message,
            fields={"email": message},
        )


class DatabaseUnavailableError(ServiceError):
    """The database could not be asked. The same request may be sent again."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "database_unavailable",
            "Registrations cannot be saved at the moment. Please try again shortly.",
            headers={"Retry-After": "5"},
        )


class RateLimitedError(ServiceError):
    """Too many requests from one address."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            HTTPStatus.TOO_MANY_REQUESTS,
            "rate_limited",
            "Too many registrations from this address. Please wait a moment.",
            headers={"Retry-After": str(retry_after_seconds)},
        )


class UnexpectedError(ServiceError):
    """Something that we did not foresee; the log has it."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal_error",
            "Something went wrong on our side.",
        )
