"""What the signals of the SDK have in common, under the names of `opentelemetry.sdk.util`."""
