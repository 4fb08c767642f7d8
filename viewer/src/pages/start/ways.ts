// The ways of sending telemetry here, three lines each, with this server's own addresses.
import type { Status } from "../../api/types";

export interface Way {
  id: string;
  label: string;
  intro: string;
  lines: string;
}

const DEFAULTS = { grpc: "127.0.0.1:4317", http: "127.0.0.1:4318" };

function reachable(address: string | null | undefined, fallback: string): string {
  const host = (address ?? fallback).replace(/^https?:\/\//, "");
  return host.replace(/^(0\.0\.0\.0|\[::\])/, "127.0.0.1"); // "every address" is nowhere to send to
}

export function waysFor(status: Status | undefined): Way[] {
  const http = reachable(status?.addresses.http, DEFAULTS.http);
  const grpc = reachable(status?.addresses.grpc, DEFAULTS.grpc);
  return [
    {
      id: "python",
      label: "Python, no code",
      intro: "Runs a program with everything instrumented that it uses.",
      lines: `pip install millrace opentelemetry-distro && opentelemetry-bootstrap -a install
export OTEL_SERVICE_NAME=shop OTEL_EXPORTER_OTLP_ENDPOINT=http://${http}
millrace run -- python app.py`,
    },
    {
      id: "code",
      label: "Python, in code",
      intro: "Three lines where the program starts; every OpenTelemetry instrumentation works with it.",
      lines: `import millrace
millrace.configure(endpoint="http://${http}", service_name="shop")
# from here on, opentelemetry.trace.get_tracer(__name__) records`,
    },
    {
      id: "any",
      label: "Any language",
      intro: "What every OpenTelemetry SDK reads from its environment.",
      lines: `export OTEL_SERVICE_NAME=shop
export OTEL_EXPORTER_OTLP_ENDPOINT=http://${http}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
    },
    {
      id: "collector",
      label: "Collector",
      intro: "An exporter beside those that a Collector already has; name it in the pipelines.",
      lines: `exporters:
  otlp/millrace:
    { endpoint: "${grpc}", tls: { insecure: true } }`,
    },
    {
      id: "curl",
      label: "curl",
      intro: "One span by hand.",
      lines: `T=$(openssl rand -hex 16) S=$(openssl rand -hex 8) N=$(date +%s%N)
curl http://${http}/v1/traces -H 'Content-Type: application/json' -d '{"resourceSpans":[{"scopeSpans":[{"spans":[
  {"traceId":"'$T'","spanId":"'$S'","name":"hello","startTimeUnixNano":"'$N'","endTimeUnixNano":"'$N'"}]}]}]}'`,
    },
  ];
}
