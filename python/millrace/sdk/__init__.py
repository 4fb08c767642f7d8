"""OpenTelemetry's SDK over the native recorder: the modules are named as those of `opentelemetry.sdk`.

`from opentelemetry.sdk.resources import Resource` becomes `from millrace.sdk.resources import Resource`, and so on for
`trace`, `metrics`, `logs` (upstream's `_logs`), `resources` and `environment_variables`.
"""
