// What the server's API answers with; docs/api.md says what each field means.

/** Decimal nanoseconds since 1970, as text because they need 64 bits. */
export type UnixNano = string;

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Status {
  version: string;
  uptime_s: number;
  addresses: { grpc: string | null; http: string | null; ui: string | null };
  signals: Record<Signal, { rows: number }>;
  store: {
    path: string;
    bytes: number;
    files: number;
    oldest_unix_nano: UnixNano | null;
    newest_unix_nano: UnixNano | null;
  };
  read_only: boolean;
}

export type Signal = "traces" | "logs" | "metrics";

export interface Service {
  name: string;
  spans: number;
  errors: number;
  rate_per_s: number | null;
  p50_ns: number;
  p95_ns: number;
  p99_ns: number;
  operations: number;
}

export interface Operation {
  service: string;
  name: string;
  kind: string;
  spans: number;
  errors: number;
  p50_ns: number;
  p95_ns: number;
  p99_ns: number;
}

export interface TraceSummary {
  trace_id: string;
  service: string;
  name: string;
  start_time_unix_nano: UnixNano;
  duration_ns: number;
  spans: number;
  errors: number;
  services: { name: string; spans: number; errors: number }[];
}

/** A whole trace, one array for each column, in the order of start times. */
export interface TraceColumns {
  trace_id: string;
  start_time_unix_nano: UnixNano;
  duration_ns: number;
  services: string[];
  names: string[];
  kinds: string[];
  spans: {
    span_id: string[];
    parent: number[];
    service: number[];
    name: number[];
    kind: number[];
    start_ns: number[];
    duration_ns: number[];
    status: number[];
    events: number[];
    links: number[];
  };
  problems: string[];
}

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export interface Attribute {
  key: string;
  type: string;
  value: Json;
}

export interface SpanEvent {
  name: string;
  time_unix_nano: UnixNano;
  attributes: Attribute[];
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  attributes: Attribute[];
}

export interface Scope {
  name: string;
  version?: string;
  attributes?: Attribute[];
}

export interface Span {
  span_id: string;
  parent_span_id: string;
  name: string;
  kind: string;
  service: string;
  start_time_unix_nano: UnixNano;
  end_time_unix_nano: UnixNano;
  status: { code: string | number; message: string };
  attributes: Attribute[];
  resource: Attribute[];
  scope: Scope;
  events: SpanEvent[];
  links: SpanLink[];
  dropped: Record<string, number>;
  trace_state: string;
}

export interface LogRecord {
  time_unix_nano: UnixNano;
  severity_number: number;
  severity_text: string;
  body: Json;
  event_name: string;
  service: string;
  trace_id: string;
  span_id: string;
  attributes: Attribute[];
  resource: Attribute[];
  scope: Scope;
}

export interface Metric {
  name: string;
  type: string;
  unit: string;
  description: string;
  points: number;
  series: number;
  attributes: string[];
  services: string[];
  /** A sum that only grows. */
  is_monotonic: boolean;
}

export interface MetricSeries {
  labels: Record<string, string>;
  values: (number | null)[];
}

export interface Exemplar {
  time_unix_nano: UnixNano;
  value: number | null;
  trace_id: string;
  span_id: string;
}

export interface MetricAnswer {
  times_unix_ms: number[];
  series: MetricSeries[];
  /** `counts[bucket][time]`; bucket i ends at `bounds[i]`, the last one is open. */
  heatmap?: { bounds: number[]; counts: number[][] };
  exemplars: Exemplar[];
  /** Lines that are not shown because there are too many. */
  series_left_out?: number;
}

export interface ServiceMap {
  nodes: { service: string; spans: number; errors: number; p50_ns: number; p95_ns: number }[];
  edges: { from: string; to: string; calls: number; errors: number; p50_ns: number; p95_ns: number }[];
}

export interface Side {
  count: number;
  mean_ns: number;
  errors: number;
}

export interface Difference {
  service: string;
  name: string;
  state: "new" | "gone" | "slower" | "faster" | "same";
  a: Side;
  b: Side;
}

export interface CountedKey {
  key: string;
  count: number;
}

export interface CountedValue {
  value: Json;
  count: number;
}
