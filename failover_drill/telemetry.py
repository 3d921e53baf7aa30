"""OpenTelemetry spans of a drill, where the SDK's own variables ask for them. Where they do not, nothing is imported.

    drill ─┬─ each step ── each change ── the control-plane calls it took
           └─ put back ─── …
    the guardian's: in the same trace, by the `traceparent` in the journal's header

A span has what the journal has: verdict, resource ids, request ids. What is not inside a drill (the watchers' reads) has none.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from failover_drill.telemetry_sdk import Source

ASKED_BY = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PREFIX = "failover_drill."
GOODBYE_S = 5.0  # what a collector that does not answer may cost at the end
Value = str | int | float | bool
Say = Callable[[str], None]

_source: Source | None = None


def listen(say: Say, environment: Mapping[str, str] = os.environ) -> None:
    """Set the SDK up, once, where the environment names a collector; say so where it does and there is no SDK."""
    global _source
    disabled = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    if _source is not None or disabled or not any(environment.get(name) for name in ASKED_BY):
        return
    try:
        from failover_drill import telemetry_sdk
    except ImportError:
        say(
            "no spans: OTEL_… names a collector, but OpenTelemetry is not there: pip install 'failover-drill[telemetry]'"
        )
        return
    _source = telemetry_sdk.Source(environment)


class Stretch:
    """One span while it lasts, the current one of its thread; or nothing, where nobody listens."""

    def __init__(self, span: Any = None, leave: Callable[[], None] = lambda: None) -> None:
        self._span, self._leave = span, leave

    @property
    def traceparent(self) -> str:
        """W3C's text for this span, by which another process continues the trace; "" where nobody listens."""
        if self._span is None:
            return ""
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"

    @property
    def trace_id(self) -> str:
        return self.traceparent[3:35]

    def note(self, **attributes: Value) -> None:
        """Add attributes, under `failover_drill.`."""
        if self._span is not None:
            self._span.set_attributes({PREFIX + name: value for name, value in attributes.items()})

    def end(self, trouble: str = "") -> None:
        """End it, as failed where there was trouble. Once; a second time does nothing."""
        span, self._span = self._span, None
        if span is None:
            return
        if trouble and _source is not None:
            _source.mark_failed(span, trouble)
        self._leave()
        span.end()


def stretch(name: str, *, traceparent: str = "", **attributes: Value) -> Stretch:
    """Begin a span inside the current one, or inside the one that *traceparent* names; it ends with `end`."""
    if _source is None:
        return Stretch()
    begun = Stretch(*_source.begin(name, traceparent))
    begun.note(**attributes)
    return begun


@contextmanager
def within(name: str, *, traceparent: str = "", **attributes: Value) -> Iterator[Stretch]:
    """Have a span around a block, inside a drill's or *traceparent*'s; nothing where there is neither."""
    if _source is None or not (traceparent or _source.inside()):
        yield Stretch()
        return
    begun = stretch(name, traceparent=traceparent, **attributes)
    try:
        yield begun
    except BaseException as error:
        begun.end(str(error) or type(error).__name__)
        raise
    finally:
        begun.end()


def note(**attributes: Value) -> None:
    """Add attributes to the current span."""
    if _source is not None:
        _source.current().set_attributes({PREFIX + name: value for name, value in attributes.items()})


def deliver(say: Say) -> None:
    """Hand over what was collected, within `GOODBYE_S`; say in one line where that failed. Nothing hangs on it."""
    if _source is None:
        return
    last = threading.Thread(target=_source.flush, daemon=True)
    last.start()
    last.join(GOODBYE_S)
    if last.is_alive():
        say(f"no spans delivered: the collector did not answer within {GOODBYE_S:g} s")
    elif _source.failed():
        say("spans could not be delivered: the collector refused them or cannot be reached")
