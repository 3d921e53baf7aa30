"""The pages that App Service's front end itself answers with (azure-facts §2.5): status line, headers, length. Pure.

The wording is ours; title, heading and length are those of the real pages, because that is what clients test for.
"""

from __future__ import annotations

STOPPED_LENGTH = 1148
NOT_FOUND_LENGTH = 2667

_STYLE = (
    "html{height:100%;width:100%;}#feature{width:960px;margin:95px auto 0 auto;overflow:auto;}"
    "#content{font-family:sans-serif;font-size:22px;color:#fff;float:left;width:460px;margin-top:68px;}"
    "#content h1{color:#fff;font-weight:normal;font-size:60px;line-height:48pt;width:800px;}"
    "p a,p a:visited,p a:active,p a:hover{color:#fff;}"
)


def _page(title: str, heading: str, paragraphs: tuple[str, ...], length: int) -> bytes:
    """Return an HTML page of exactly *length* bytes; blanks before the end make up the difference."""
    text = "".join(f"<p>{p}</p>" for p in paragraphs)
    head = (
        f'<!DOCTYPE html><html><head><title>{title}</title><style type="text/css">{_STYLE}</style></head>'
        f'<body bgcolor="#00abec"><div id="feature"><div id="content"><h1>{heading}</h1>{text}</div></div>'
    ).encode()
    tail = b"</body></html>"
    blanks = length - len(head) - len(tail)
    if blanks < 0:
        raise ValueError(f"page {title!r} is {-blanks} bytes longer than {length}")
    return head + b" " * blanks + tail


STOPPED_BODY = _page(
    "Web App - Unavailable",
    "Error 403 - This web app is stopped.",
    (
        "This site of the local estate is stopped and takes no requests for now. Start it, then load the page again.",
        "If it is yours: start the app through the control plane, or ask <code>/_state</code> what the estate thinks.",
    ),
    STOPPED_LENGTH,
)
NOT_FOUND_BODY = _page(
    "Microsoft Azure Web App - Error 404",
    "404 Web Site not found.",
    (
        "No app in this region of the local estate has this host name. Usual reasons:",
        "The custom domain is not bound to the app of this region: bind it there, too.",
        "A resolver still hands out the address of a region that no longer has the app: wait for the TTL.",
    ),
    NOT_FOUND_LENGTH,
)
BAD_REQUEST_BODY = b"<HTML><HEAD><TITLE>Bad Request</TITLE></HEAD><BODY><h2>Bad Request</h2></BODY></HTML>\r\n"

# `%b` is the value of the Date header.
STOPPED_HEAD = (
    b"HTTP/1.1 403 Site Disabled\r\nContent-Length: %d\r\nConnection: close\r\nContent-Type: text/html\r\n"
    % STOPPED_LENGTH
) + b"Date: %b\r\n\r\n"
NOT_FOUND_HEAD = (
    b"HTTP/1.1 404 Site Not Found\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n"
    % NOT_FOUND_LENGTH
) + b"Date: %b\r\n\r\n"
BAD_REQUEST_HEAD = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=us-ascii\r\nServer: Microsoft-HTTPAPI/2.0\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n" % len(BAD_REQUEST_BODY)
) + b"Date: %b\r\n\r\n"
