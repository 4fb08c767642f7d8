// A log record's body in one line.
import type { Json, LogRecord } from "../../api/types";

export function bodyText(record: LogRecord): string {
  const { body } = record;
  const text = typeof body === "string" ? body : body === null ? "" : JSON.stringify(body);
  return text || record.event_name || "no body";
}

/** A structured body comes as JSON text: as the value that it is. */
export function bodyValue(record: LogRecord): Json {
  const { body } = record;
  if (typeof body !== "string" || !/^[[{]/.test(body)) return body;
  try {
    return JSON.parse(body) as Json;
  } catch {
    return body; // a text that only begins like JSON
  }
}

export type Level = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "none";
export const LEVELS: Level[] = ["none", "trace", "debug", "info", "warn", "error", "fatal"];
export const LEAST = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 } as const;

/** Four severity numbers each, as OpenTelemetry counts; 0 says that there is none. */
export function levelOf(severityNumber: number): Level {
  if (severityNumber < 1) return "none";
  return LEVELS[Math.min(6, Math.ceil(severityNumber / 4))]!;
}
