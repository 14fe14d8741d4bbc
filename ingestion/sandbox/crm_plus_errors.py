"""How CRM+ refuses, and how it lays out its JSON: as it is documented, or as recordings of other clients show it."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
from starlette.responses import Response

from .http import JSON

DENIED = "Authorization has been denied for this request."


class RefusalError(Exception):
    """A request that CRM+ refuses."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, wait: int | str | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.field, self.wait = status, code, field, wait


def not_found() -> RefusalError:
    """The refusal of a record that does not exist."""
    return RefusalError(404, "NOT_FOUND", "The requested record was not found.")


def denied() -> RefusalError:
    """The refusal of a credential."""
    return RefusalError(401, "UNAUTHENTICATED", DENIED)


@dataclass(frozen=True)
class Habits:
    """What differs between documentation and recordings; each world has its own, by its seed."""

    refuses_as_recorded: bool
    """404 without a body, 401 as JSON with `WWW-Authenticate`, 400 with `modelState`; else the documented forms."""
    is_pretty: bool
    """JSON over several lines, which end with CRLF."""

    @classmethod
    def of(cls, seed: int) -> Habits:
        """The habits of a world."""
        return cls(refuses_as_recorded=seed % 2 == 1, is_pretty=seed % 3 == 0)

    def refusal(self, error: RefusalError) -> Response:
        """The answer that refuses a request."""
        response = self._recorded(error) if self.refuses_as_recorded else _documented(error)
        if error.wait is not None:
            response.headers["Retry-After"] = str(error.wait)
        return response

    @staticmethod
    def _recorded(error: RefusalError) -> Response:
        if error.status == 404:
            return Response(status_code=404)
        body: dict[str, object] = {"message": str(error)}
        if error.field:
            body = {"message": "The request is invalid.", "modelState": {error.field: [str(error)]}}
        headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
        return Response(orjson.dumps(body), error.status, headers, JSON)

    def laid_out(self, response: Response) -> Response:
        """An answer as this CRM+ prints it."""
        if self.is_pretty and response.body and response.media_type == JSON:
            lines = orjson.dumps(orjson.loads(response.body), option=orjson.OPT_INDENT_2)
            response.body = lines.replace(b"\n", b"\r\n")
            response.headers["content-length"] = str(len(response.body))
        return response


def _documented(error: RefusalError) -> Response:
    if error.status == 401:
        return Response(DENIED, 401, media_type="text/plain")
    details = [{"field": error.field, "code": "INVALID", "message": str(error)}] if error.field else []
    body = {"error": {"code": error.code, "message": str(error), "details": details}}
    return Response(orjson.dumps(body), error.status, media_type=JSON)
