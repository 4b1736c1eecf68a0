"""Traces by OpenTelemetry, where the standard variables name a collector; else nothing is loaded or done.

Owns: when traces are on, what a span of ours says. Does not own: sampling, batching, headers and time limits,
which OpenTelemetry reads from its own standard variables (`OTEL_…`).

No span holds a path, query string, header or parameter of a query: routes and statements are told as they
stand in the code.

Source: OpenTelemetry specification, "OpenTelemetry Protocol Exporter"; semantic conventions for HTTP spans.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING, Any

from lineage.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_PROPAGATED = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}

_state: dict[str, Tracer] = {}


def wanted() -> bool:
    """Whether the environment names a collector."""
    off = os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    return not off and any(os.environ.get(name) for name in _ENDPOINTS)


def on() -> bool:
    """Whether this process traces."""
    return bool(_state)


def start(service: str) -> None:
    """Trace this process from now on, as `service`, if the environment says so. Call it after any fork.

    Raises: ConfigurationError where the packages are missing or the protocol is another.
    """
    if not wanted() or _state:
        return
    if any(os.environ.get(name, "http/protobuf") != "http/protobuf" for name in _PROTOCOLS):
        raise ConfigurationError(f"{_PROTOCOLS[0]}: only http/protobuf is spoken here")
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.celery import CeleryInstrumentor
        from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            f"{_ENDPOINTS[0]} is set, and OpenTelemetry is not installed.",
            hint="Install it with: pip install 'lineage[server,otel]'",
        ) from error
    os.environ.setdefault("OTEL_SERVICE_NAME", service)
    provider = TracerProvider(resource=Resource.create({"service.version": version("lineage")}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    PsycopgInstrumentor().instrument()
    CeleryInstrumentor().instrument()  # type: ignore[no-untyped-call]
    # Children of multiprocessing end without `atexit`, and with what has not been sent yet.
    Finalize(None, provider.shutdown, exitpriority=10)
    _state["tracer"] = provider.get_tracer("lineage")


def span(name: str, **attributes: str | int) -> AbstractContextManager[Any]:
    """A span around the block, below the one that is current. Does nothing where traces are off."""
    tracer = _state.get("tracer")
    if tracer is None:
        return nullcontext()
    return tracer.start_as_current_span(
        name, attributes={f"lineage.{key}": value for key, value in attributes.items()}
    )


def request(meta: Mapping[str, Any]) -> AbstractContextManager[Span | None]:
    """The span of a web request, below the sender's own where it names one; None where traces are off."""
    tracer = _state.get("tracer")
    return nullcontext() if tracer is None else _server_span(tracer, meta)


@contextmanager
def _server_span(tracer: Tracer, meta: Mapping[str, Any]) -> Iterator[Span]:
    from opentelemetry.propagate import extract
    from opentelemetry.trace import SpanKind

    carrier = {name: meta[key] for name, key in _PROPAGATED.items() if key in meta}
    with tracer.start_as_current_span("request", context=extract(carrier), kind=SpanKind.SERVER) as made:
        yield made


def answered(span: Span, method: str, route: str, status: int) -> None:
    """Say of a request's span what it was about and how it was answered."""
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    )
    if status >= 500:
        from opentelemetry.trace import StatusCode

        span.set_status(StatusCode.ERROR)
