"""All components there are, by section, and the well-known ones of the Collector that are not among them."""

from millrace.gateway.config import exporters, extensions, file_receiver, processors, receivers
from millrace.gateway.config.components import Component
from millrace.gateway.config.problems import Place, Problems, nearest

__all__ = ["SECTIONS", "find"]

SECTIONS: dict[str, tuple[Component, ...]] = {
    "receivers": (receivers.OTLP, file_receiver.FILE),
    "processors": (processors.MEMORY_LIMITER, processors.BATCH),
    "exporters": (exporters.OTLP, exporters.OTLP_HTTP, exporters.FILE, exporters.STORE, exporters.DEBUG, exporters.NOP),
    "extensions": (extensions.HEALTH_CHECK,),
}

_ELSEWHERE = {
    "receivers": """
        awscloudwatch awsxray carbon cloudfoundry collectd datadog docker_stats elasticsearch faro file_log filelog
        fluentforward googlecloudpubsub haproxy host_metrics hostmetrics httpcheck iis influxdb jaeger jmx journald
        k8s_cluster k8s_events k8sobjects kafka kafkametrics kubeletstats loki memcached mongodb mysql nginx nop
        oracledb otelarrow
        postgresql prometheus prometheus_simple prometheusremotewrite rabbitmq receiver_creator redis
        signalfx skywalking snmp splunk_hec sqlquery sqlserver statsd syslog tcplog udplog webhookevent
        windowseventlog windowsperfcounters zipkin zookeeper""",
    "processors": """
        attributes cumulativetodelta deltatocumulative deltatorate filter geoip groupbyattrs groupbytrace interval
        isolationforest k8s_attributes k8sattributes log_dedup logdedup logstransform metricsgeneration
        metricstransform probabilistic_sampler redaction remotetap resource resource_detection resourcedetection
        routing schema span spanmetrics sumologic tail_sampling transform unroll""",
    "exporters": """
        alertmanager awscloudwatchlogs awsemf awskinesis awss3 awsxray azuremonitor carbon cassandra clickhouse
        coralogix datadog doris elasticsearch googlecloud googlecloudpubsub googlemanagedprometheus honeycombmarker
        influxdb jaeger kafka load_balancing loadbalancing logging logicmonitor logzio loki mezmo opencensus
        opensearch otelarrow prometheus prometheusremotewrite pulsar rabbitmq sapm sentry signalfx splunk_hec stef
        sumologic syslog tinybird zipkin""",
    "extensions": """
        ack asapauth awsproxy basicauth bearertokenauth cgroupruntime db_storage docker_observer ecs_observer
        file_storage headers_setter healthcheckv2 host_observer http_forwarder jaegerremotesampling k8s_observer
        memory_ballast memory_limiter oauth2client oidc opamp pprof sigv4auth sumologic zpages""",
}

_INSTEAD = {
    ("exporters", "logging"): "the Collector renamed it: use debug",
    ("exporters", "jaeger"): "Jaeger takes OTLP: use otlp or otlphttp",
    ("exporters", "loki"): "Loki takes OTLP: use otlphttp with the endpoint http://loki:3100/otlp",
    ("exporters", "prometheusremotewrite"): "Prometheus takes OTLP: use otlphttp with the endpoint .../api/v1/otlp",
    ("extensions", "memory_ballast"): "nothing collects garbage: remove it",
    ("extensions", "healthcheckv2"): "use health_check",
}


def find(section: str, kind: str, place: Place, problems: Problems) -> Component | None:
    """Return the component of that kind, or report what there is instead."""
    components = SECTIONS[section]
    for component in components:
        if kind == component.kind or kind in component.aliases:
            return component
    one = section.removesuffix("s")
    have = ", ".join(component.kind for component in components)
    if kind in _ELSEWHERE[section].split():
        message = f'the Collector has the {one} "{kind}", millrace does not; it has {have}'
        problems.error(place, message, _INSTEAD.get((section, kind)))
        return None
    sections = [name for name, others in SECTIONS.items() if any(kind == other.kind for other in others)]
    hint: str | None
    if sections:
        hint = f'"{kind}" belongs under {" or ".join(sections)}'
    else:
        hint = nearest(kind, [name for component in components for name in (component.kind, *component.aliases)])
    problems.error(place, f'there is no {one} "{kind}"; millrace has {have}', hint)
    return None
