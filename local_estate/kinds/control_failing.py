"""ARM failing: 500, 502, 503."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from local_estate.errors import gateway
from local_estate.kinds.control import Blow, Control
from local_estate.wire import Response

HTML_503 = (
    b'<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01//EN""http://www.w3.org/TR/html4/strict.dtd">\r\n'
    b"<HTML><HEAD><TITLE>Service Unavailable</TITLE></HEAD>\r\n"
    b"<BODY><h2>Service Unavailable</h2>\r\n<hr><p>HTTP Error 503. The service is unavailable.</p>\r\n</BODY></HTML>\r\n"
)


@dataclass(frozen=True, slots=True)
class Failing(Control):
    """`status` 500 or 502 with ARM's JSON, 503 with http.sys's HTML page. Nothing is carried out."""

    status: int = 500
    only: str = "all"
    operation: str | None = None
    kind: ClassVar[str] = "control_failing"

    def __post_init__(self) -> None:
        Control.__post_init__(self)
        if self.status not in (500, 502, 503):
            raise ValueError(f"status must be 500, 502 or 503, not {self.status!r}")

    async def struck(self, blow: Blow) -> Response | None:
        if self.status == 503:
            page = Response(
                503, HTML_503, (("Content-Type", "text/html; charset=us-ascii"),), reason="Service Unavailable"
            )
            return blow.answered(page)
        code = "InternalServerError" if self.status == 500 else "BadGateway"
        return blow.answered(gateway(self.status, code, "Encountered internal server error.").response)
