// Asks a server that speaks Jaeger's HTTP APIs, and reads its answers as programs in Go do: those of version 1 by
// Jaeger's own types, of which every field has to be known, and those of version 3 by the Collector's reader of OTLP.
//
// What it has read is printed as a line of JSON, for the test that runs this.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	jaeger "github.com/jaegertracing/jaeger/model/json"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// structured is what version 1 answers with, whatever was asked for.
type structured[T any] struct {
	Data   T   `json:"data"`
	Total  int `json:"total"`
	Limit  int `json:"limit"`
	Offset int `json:"offset"`
	Errors []struct {
		Code    int    `json:"code"`
		Message string `json:"msg"`
	} `json:"errors"`
}

type found struct {
	Services     []string                `json:"services"`
	Operations   []jaeger.Operation      `json:"operations"`
	Dependencies []jaeger.DependencyLink `json:"dependencies"`
	Trace        jaeger.Trace            `json:"trace"`
	Searched     []string                `json:"searched"`
	Spans        map[string]string       `json:"spans"`
}

func get(address string) ([]byte, error) {
	answer, err := http.Get(address)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s was answered with %d: %s", address, answer.StatusCode, content)
	}
	return content, err
}

func ask[T any](address string, into *T) error {
	content, err := get(address)
	if err != nil {
		return err
	}
	var answer structured[T]
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", address, err)
	}
	*into = answer.Data
	return nil
}

// askV3 reads a trace of version 3, and returns the names of its spans by their ids.
func askV3(address string) (map[string]string, error) {
	content, err := get(address)
	if err != nil {
		return nil, err
	}
	var wrapped struct {
		Result json.RawMessage `json:"result"`
	}
	if err := json.Unmarshal(content, &wrapped); err != nil {
		return nil, err
	}
	traces, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(wrapped.Result)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := 0; i < traces.ResourceSpans().Len(); i++ {
		scopes := traces.ResourceSpans().At(i).ScopeSpans()
		for j := 0; j < scopes.Len(); j++ {
			spans := scopes.At(j).Spans()
			for k := 0; k < spans.Len(); k++ {
				names[spans.At(k).SpanID().String()] = spans.At(k).Name()
			}
		}
	}
	return names, nil
}

func run(base, service, trace string) error {
	var result found
	if err := ask(base+"/api/services", &result.Services); err != nil {
		return err
	}
	if err := ask(base+"/api/operations?service="+url.QueryEscape(service), &result.Operations); err != nil {
		return err
	}
	if err := ask(base+"/api/dependencies?endTs=1900000000000&lookback=900000000000", &result.Dependencies); err != nil {
		return err
	}
	var traces []jaeger.Trace
	if err := ask(base+"/api/traces?service="+url.QueryEscape(service), &traces); err != nil {
		return err
	}
	for _, one := range traces {
		result.Searched = append(result.Searched, string(one.TraceID))
	}
	if err := ask(base+"/api/traces/"+trace, &traces); err != nil {
		return err
	}
	result.Trace = traces[0]
	var err error
	if result.Spans, err = askV3(base + "/api/v3/traces/" + trace); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
