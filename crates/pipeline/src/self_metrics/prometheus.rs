//! Metrics as Prometheus text (exposition format 0.0.4).
use std::fmt::Write as _;

use super::Metric;

/// One page.
pub(crate) fn render(metrics: &[Metric]) -> String {
    let mut page = String::new();
    for metric in metrics {
        let kind = if metric.monotonic { "counter" } else { "gauge" };
        // Writing to a String cannot fail.
        let _ = writeln!(
            page,
            "# HELP {0} {1}\n# TYPE {0} {kind}",
            metric.name, metric.description
        );
        for point in &metric.points {
            page.push_str(&metric.name);
            for (index, (label, value)) in point.labels.iter().enumerate() {
                page.push(if index == 0 { '{' } else { ',' });
                let _ = write!(page, "{label}=\"{}\"", escape(value));
            }
            if !point.labels.is_empty() {
                page.push('}');
            }
            let _ = writeln!(page, " {}", point.value);
        }
    }
    page
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::super::Point;
    use super::*;

    #[test]
    fn a_page_has_help_type_and_escaped_labels() {
        let point = Point {
            labels: vec![("exporter", "otlp/\"a\"\n\\".into())],
            value: 3.0,
        };
        let metric = Metric {
            name: "otelcol_exporter_sent_spans".into(),
            description: "Items sent",
            unit: "",
            monotonic: true,
            points: vec![point],
        };
        assert_eq!(
            render(&[metric]),
            "# HELP otelcol_exporter_sent_spans Items sent\n# TYPE otelcol_exporter_sent_spans counter\n\
             otelcol_exporter_sent_spans{exporter=\"otlp/\\\"a\\\"\\n\\\\\"} 3\n"
        );
    }
}
