"""Spans of a drill, through the real SDK, over OTLP to a real collector's address; and nothing at all where nobody asked."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from failover_drill import journal
from tests.hooks import Hook, hook
from tests.servers import free_port
from tests.stage import COLD, ROOT, Drilled, Estate, estate, run_drill

ENDPOINT = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@dataclass(frozen=True)
class Seen:
    """One span as the collector got it; ids in hex."""

    name: str
    trace: str
    span: str
    parent: str
    failed: bool
    attributes: Mapping[str, Any]


def spans(collector: Hook) -> list[Seen]:
    return [span for _, _, body in collector.posts for span in _decoded(body)]


def _decoded(body: bytes) -> Iterator[Seen]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        assert "failover-drill" in [
            a.value.string_value for a in resource.resource.attributes if a.key == "service.name"
        ]
        for scope in resource.scope_spans:
            for span in scope.spans:
                found = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
                ids = (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
                yield Seen(span.name, *ids, span.status.code == 2, found)


@dataclass(frozen=True)
class Traced:
    drilled: Drilled
    collector: Hook
    stage: Estate


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """One drill with a collector, looked at by every test that needs one."""
    where = tmp_path_factory.mktemp("traced")
    with hook() as collector, estate(where / "estate", COLD) as stage:
        drilled = run_drill(where, stage.file, environment={ENDPOINT: collector.url.split("?")[0]})
        assert drilled.directory is not None, drilled.output
        yield Traced(drilled, collector, stage)


@pytest.mark.slow
def test_one_trace_is_the_drill(traced: Traced) -> None:
    """The root has verdict and resources; below it the steps, below them the changes, below those the calls with their ids."""
    found = spans(traced.collector)
    (root,) = [span for span in found if not span.parent]
    assert root.name.startswith("drill ")
    assert root.attributes["failover_drill.verdict"] == traced.drilled.findings["verdict"]
    assert root.attributes["failover_drill.primary"].endswith("/sites/proseware-eastus")
    assert {span.trace for span in found} == {root.trace}
    by_id = {span.span: span for span in found}
    (stop,) = [span for span in found if span.name == "stop app proseware-eastus"]
    assert by_id[stop.parent].name == "When the primary region is disabled"
    assert by_id[stop.parent].parent == root.span
    calls = [span for span in found if span.parent == stop.span and span.name == "stop app"]
    assert [call.attributes["failover_drill.resource_id"] for call in calls] == [
        root.attributes["failover_drill.primary"]
    ]
    request = calls[0].attributes["failover_drill.request_id"]
    assert request
    assert request == stop.attributes["failover_drill.request_id"]
    assert request in (traced.drilled.directory or Path()).joinpath("journal.jsonl").read_text("utf-8")
    (start,) = [span for span in found if span.name == "start app proseware-eastus"]
    assert by_id[start.parent].name == "When the estate is put back as it was"
    assert [span.parent for span in found if span.name == "put back"] == [root.span]


@pytest.mark.slow
def test_journal_and_report_name_the_trace(traced: Traced) -> None:
    """Whoever reads the report finds the trace, and the guardian could go on in it."""
    trace = spans(traced.collector)[0].trace
    run = traced.drilled.directory
    assert run is not None
    header = journal.read(run / journal.FILE)[0].fields
    assert header["traceparent"].split("-")[1] == trace
    assert traced.drilled.findings["environment"]["trace"] == trace
    assert trace in (run / "report.html").read_text("utf-8")


@pytest.mark.slow
def test_spans_hold_no_secret(traced: Traced) -> None:
    """Neither the identity's secret nor any token is in what the collector got."""
    everything = b"".join(body for _, _, body in traced.collector.posts)
    for secret in (traced.stage.ready["identity_header"], traced.stage.ready["control_token"], "eyJ0eXAi", "Bearer"):
        assert secret.encode() not in everything


SCRIPT = """
import sys
{before}
from failover_drill import compose, telemetry
telemetry.listen(print)
root = telemetry.stretch("drill x", drill="x")
try:
    with telemetry.within("read app", resource_id="/a"):
        telemetry.note(request_id="7")
        raise ValueError("broken")
except ValueError:
    pass
root.end()
telemetry.deliver(print)
print("loaded", any(name.partition(".")[0] == "opentelemetry" for name in sys.modules))
"""


def scripted(before: str = "", **environment: str) -> tuple[list[str], float]:
    """Run SCRIPT in a process of its own; return its lines and how long it took after its imports and in all, seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(before=before)],
        cwd=ROOT,
        env={"PATH": "", **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines(), time.monotonic() - began


def test_nothing_is_loaded_unasked() -> None:
    """Without OTEL_… no module of OpenTelemetry is loaded, installed though it is, and nothing is said."""
    assert scripted()[0] == ["loaded False"]
    assert scripted(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_SDK_DISABLED="true")[0] == ["loaded False"]


def test_asked_for_and_not_installed() -> None:
    """Where a collector is named and the SDK is absent, one line says what to install."""
    said, _ = scripted("sys.modules['opentelemetry'] = None", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert said[0] == (
        "no spans: OTEL_… names a collector, but OpenTelemetry is not there: pip install 'failover-drill[telemetry]'"
    )
    assert len(said) == 2


def test_what_fails_is_marked() -> None:
    """A call that raised is a failed span with its message; the span around it is not."""
    with hook() as collector:
        said, _ = scripted(**{ENDPOINT: collector.url.split("?")[0]})
    assert said == ["loaded True"]
    failed = {span.name: span.failed for span in spans(collector)}
    assert failed == {"drill x": False, "read app": True}


@pytest.mark.parametrize("how", ["refused", "hangs", "400"])
def test_a_collector_that_fails(how: str) -> None:
    """A collector that is absent, mute or unwilling is left behind at the end, and costs one line."""
    with hook("hang" if how == "hangs" else 400) as collector:
        port = free_port("127.0.0.1") if how == "refused" else collector.server_address[1]
        said, took_s = scripted(**{ENDPOINT: f"http://127.0.0.1:{port}/v1/traces"})
    assert len(said) == 2
    assert said[0].startswith(("no spans delivered: ", "spans could not be delivered: "))
    assert took_s < 200  # the mute one would be mute for ten minutes
