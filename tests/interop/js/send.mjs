// Sends traces, metrics and logs with the stock SDK: `node send.mjs grpc|http/protobuf|http/json URL`.
// Prints what it has sent as JSON, so that the test can compare it with what arrived.
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter as LogsGrpc } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as LogsJson } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPLogExporter as LogsProto } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPMetricExporter as MetricsGrpc } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as MetricsJson } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPMetricExporter as MetricsProto } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as TracesGrpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as TracesJson } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as TracesProto } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";

const SPANS = 50;
const RECORDS = 20;

const [protocol, url] = process.argv.slice(2);
const exporters = {
  grpc: () => [new TracesGrpc({ url }), new MetricsGrpc({ url }), new LogsGrpc({ url })],
  "http/protobuf": () => [
    new TracesProto({ url: `${url}/v1/traces`, compression: "gzip" }),
    new MetricsProto({ url: `${url}/v1/metrics` }),
    new LogsProto({ url: `${url}/v1/logs` }),
  ],
  "http/json": () => [
    new TracesJson({ url: `${url}/v1/traces` }),
    new MetricsJson({ url: `${url}/v1/metrics`, compression: "gzip" }),
    new LogsJson({ url: `${url}/v1/logs` }),
  ],
};
const [traces, metrics, logs] = exporters[protocol]();

const resource = resourceFromAttributes({ "service.name": "js-client", "a.list": ["x", "y"] });
const tracers = new TracerProvider({ resource, spanProcessors: [new BatchSpanProcessor({ exporter: traces })] });
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: metrics, exportIntervalMillis: 3_600_000 })],
  views: [{ instrumentName: "exponential", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
});
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: logs })] });

const tracer = tracers.getTracer("interop", "1.0");
const root = tracer.startSpan("root", { kind: SpanKind.SERVER, attributes: { "http.route": "/ä/€/😀" } });
const inRoot = trace.setSpan(context.active(), root);
const spanIds = [root.spanContext().spanId];
for (let number = 1; number < SPANS; number++) {
  const attributes = { text: `t${number}`, int: number, double: number + 0.5, bool: true, list: [1, 2, 3] };
  const links = [{ context: root.spanContext(), attributes: { linked: true } }];
  const span = tracer.startSpan(`child ${number}`, { kind: SpanKind.CLIENT, attributes, links }, inRoot);
  span.addEvent("event", { number });
  span.setStatus({ code: SpanStatusCode.ERROR, message: "on purpose" });
  span.end();
  spanIds.push(span.spanContext().spanId);
}
root.end();

const meter = meters.getMeter("interop");
meter.createCounter("counter", { unit: "1" }).add(3, { a: "b" });
meter.createUpDownCounter("updown").add(-2);
meter.createGauge("gauge").record(1.5);
meter.createObservableGauge("observed").addCallback((result) => result.observe(42));
for (const name of ["histogram", "exponential"]) {
  const histogram = meter.createHistogram(name);
  for (const value of [1, 10, 100]) histogram.record(value);
}

const logger = loggers.getLogger("interop");
for (let number = 0; number < RECORDS; number++) {
  logger.emit({
    severityNumber: SeverityNumber.WARN,
    severityText: "WARN",
    body: number % 2 ? `record ${number}` : { number, nested: { list: [1, "two", null] } },
    attributes: { number },
    context: inRoot,
  });
}

await Promise.all([tracers.shutdown(), meters.shutdown(), loggers.shutdown()]);
console.log(
  JSON.stringify({
    traceId: root.spanContext().traceId,
    spanIds,
    metrics: ["counter", "updown", "gauge", "observed", "histogram", "exponential"],
    records: RECORDS,
  }),
);
