// The release that go.mod pins, as `otelcol --version` says it.
package main

import "runtime/debug"

var version = func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "go.opentelemetry.io/collector/otelcol" {
				return module.Version
			}
		}
	}
	return "unknown"
}()
