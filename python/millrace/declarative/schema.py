"""What a declarative configuration may hold: the stable part of file format 1.0, as settings in groups."""

from millrace.declarative.kinds import Absent, Attributes, FileFormat, Named, OneOf
from millrace.endpoint import grpc_endpoint, parse_url
from millrace.gateway.config.kinds import Boolean, Choice, Ignored, Integer, Kind, ListOf, Number, Secret, Text
from millrace.gateway.config.settings import Group, Setting

__all__ = ["ROOT"]

_SEVERITIES = tuple(
    f"{word}{n}" for word in ("trace", "debug", "info", "warn", "error", "fatal") for n in ("", 2, 3, 4)
)
_INSTRUMENTS = (
    "counter",
    "gauge",
    "histogram",
    "observable_counter",
    "observable_gauge",
    "observable_up_down_counter",
    "up_down_counter",
)
_NOT_YET = "it is a part of the format that is still in development"
_NOTHING = Group()


def _url_fault(text: str) -> str | None:
    try:
        parse_url(text)
    except ValueError as error:
        return str(error)
    return None


def _target_fault(text: str) -> str | None:
    try:
        grpc_endpoint(text, insecure=True)
    except ValueError as error:
        return str(error)
    return None


def _count(doc: str, default: int | None = None) -> Setting:
    name, _, sentence = doc.partition(": ")
    return Setting(name, Integer(), sentence, default)


_TLS_FILES = (
    Setting("ca_file", Text("the path of a file"), "PEM file of the authorities that are trusted."),
    Setting("key_file", Text("the path of a file"), "PEM file of the client's key."),
    Setting("cert_file", Text("the path of a file"), "PEM file of the client's certificate chain."),
)

_SENDING = (
    Setting("headers", Named(), "Added to each request."),
    Setting("headers_list", Secret("headers as name=value,name=value"), "The same as text; headers wins."),
    Setting("compression", Choice("gzip", "zstd", "none"), "How requests are compressed.", "none"),
    _count("timeout: Longest time for one attempt, in milliseconds; 0 is no limit.", 10_000),
)

_METRICS_ONLY = (
    Setting(
        "temporality_preference", Choice("cumulative", "delta", "low_memory"), "Since when sums count.", "cumulative"
    ),
    Setting(
        "default_histogram_aggregation",
        Choice("explicit_bucket_histogram", "base2_exponential_bucket_histogram"),
        "What histograms become.",
        "explicit_bucket_histogram",
    ),
)


def _exporters(*more: Setting) -> OneOf:
    http = Group(
        Setting("endpoint", Text("a whole URL such as http://localhost:4318/v1/traces", _url_fault), "Where to send."),
        Setting("tls", Group(*_TLS_FILES), "TLS of the connection."),
        *_SENDING,
        Setting("encoding", Choice("protobuf", "json"), "How requests are written.", "protobuf"),
        *more,
    )
    insecure = Setting("insecure", Boolean(), "Send without TLS where the endpoint has no scheme.", default=False)
    grpc = Group(
        Setting("endpoint", Text("a target such as http://localhost:4317", _target_fault), "Where to send."),
        Setting("tls", Group(*_TLS_FILES, insecure), "TLS of the connection."),
        *_SENDING,
        *more,
    )
    file = Absent("send to a gateway that writes a file: exporters.file of millrace serve")
    return OneOf("exporter", otlp_http=http, otlp_grpc=grpc, otlp_file=file, console=Group(*more))


def _processors(schedule_delay_ms: int, **more: Kind) -> ListOf:
    exporter = Setting("exporter", _exporters(), "Where to.", required=True)
    batch = Group(
        _count("schedule_delay: Longest wait for more, in milliseconds.", schedule_delay_ms),
        _count("export_timeout: Longest time for one export, in milliseconds; 0 is no limit.", 30_000),
        Setting("max_queue_size", Integer(1), "Items that may wait; without it 64 MiB of them."),
        Setting("max_export_batch_size", Integer(1), "Items in one request."),
        exporter,
    )
    return ListOf(OneOf("processor", batch=batch, simple=Group(exporter), **more), "a list of processors")


class _Sampler(OneOf):
    """A sampler, which may be made of others."""

    def __init__(self) -> None:
        super().__init__("sampler")
        parts = ("root", "remote_parent_sampled", "remote_parent_not_sampled", "local_parent_sampled",
                 "local_parent_not_sampled")  # fmt: skip
        self.kinds = {
            "always_on": _NOTHING,
            "always_off": _NOTHING,
            "trace_id_ratio_based": Group(Setting("ratio", Number(0, 1), "The part of traces to keep.", 1.0)),
            "parent_based": Group(*(Setting(part, self, "Who decides in this case.") for part in parts)),
            **dict.fromkeys(("composite", "jaeger_remote", "probability"), Absent(_NOT_YET)),
        }
        self.expected = f"sampler: a mapping with one of {', '.join(self._offered())}"


_TRACER_PROVIDER = Group(
    Setting("processors", _processors(5_000), "What becomes of ended spans.", required=True),
    Setting(
        "limits",
        Group(
            _count("attribute_value_length_limit: Characters of a text value."),
            _count("attribute_count_limit: Attributes of a span.", 128),
            _count("event_count_limit: Events of a span.", 128),
            _count("link_count_limit: Links of a span.", 128),
            _count("event_attribute_count_limit: Attributes of an event.", 128),
            _count("link_attribute_count_limit: Attributes of a link.", 128),
        ),
        "Limits of spans.",
    ),
    Setting("sampler", _Sampler(), "Which spans are recorded; without it parent_based with always_on as its root."),
    Setting("id_generator", OneOf("id generator", random=_NOTHING), "How ids are made."),
    Setting("tracer_configurator/development", Absent(_NOT_YET), ""),
    optional=True,
    null="absent",
)

_LOGGER_PROVIDER = Group(
    Setting(
        "processors",
        _processors(1_000, event_to_span_event_bridge=Absent(_NOT_YET)),
        "What becomes of log records.",
        required=True,
    ),
    Setting(
        "limits",
        Group(
            _count("attribute_value_length_limit: Characters of a text value."),
            _count("attribute_count_limit: Attributes of a log record.", 128),
        ),
        "Limits of log records.",
    ),
    Setting("logger_configurator/development", Absent(_NOT_YET), ""),
    optional=True,
    null="absent",
)

_PERIODIC = Group(
    Setting("interval", Integer(1), "Time between two collections, in milliseconds.", 60_000),
    _count("timeout: Longest time for one export, in milliseconds; 0 is no limit.", 30_000),
    Setting("exporter", _exporters(*_METRICS_ONLY), "Where to.", required=True),
    Setting("producers", Absent("OpenCensus has no metrics for it"), ""),
    Setting("cardinality_limits", Absent("the limit is the specification's, 2000 for each instrument"), ""),
    Setting("max_export_batch_size/development", Absent(_NOT_YET), ""),
)

_PROMETHEUS = Group(
    Setting("host", Text(), "Where to listen.", "localhost"),
    Setting("port", Integer(0, 65_535), "The same.", 9464),
    Setting("scope_info_enabled", Boolean(), "Whether series are labelled with their scope.", default=True),
    Setting("target_info_enabled/development", Boolean(), "Whether target_info is there.", default=True),
    Setting(
        "resource_constant_labels",
        Group(
            Setting("included", ListOf(Text(), "a list of names"), "With * and ? as wildcards."),
            Setting("excluded", ListOf(Text(), "a list of names"), "The same; it wins."),
        ),
        "Attributes of the resource that are labels of each series.",
    ),
    Setting("translation_strategy", Absent("names are underscored, with the suffixes of unit and type"), ""),
)

_PULLED = Group(
    Setting("exporter", OneOf("exporter", prometheus=_PROMETHEUS), "Who asks.", required=True),
    Setting("producers", Absent("OpenCensus has no metrics for it"), ""),
    Setting("cardinality_limits", Absent("the limit is the specification's, 2000 for each instrument"), ""),
)

_AGGREGATION = OneOf(
    "aggregation",
    default=_NOTHING,
    drop=_NOTHING,
    last_value=_NOTHING,
    sum=_NOTHING,
    explicit_bucket_histogram=Group(
        Setting("boundaries", ListOf(Number(-1e308, 1e308), "a list of numbers"), "Upper bounds of the buckets."),
        Setting("record_min_max", Boolean(), "Whether the least and the greatest are kept.", default=True),
    ),
    base2_exponential_bucket_histogram=Group(
        Setting("max_scale", Integer(-10, 20), "The resolution to begin with.", 20),
        Setting("max_size", Integer(2), "Buckets on each side of zero.", 160),
        Setting("record_min_max", Boolean(), "Whether the least and the greatest are kept.", default=True),
    ),
)

_VIEW = Group(
    Setting(
        "selector",
        Group(
            Setting("instrument_name", Text(), "With * and ? as wildcards."),
            Setting("instrument_type", Choice(*_INSTRUMENTS), "The kind of the instrument."),
            Setting("unit", Text(), "The unit of the instrument."),
            Setting("meter_name", Text(), "The name of the meter."),
            Setting("meter_version", Text(), "The version of the meter."),
            Setting("meter_schema_url", Text(), "The schema of the meter."),
        ),
        "Which instruments.",
        required=True,
    ),
    Setting(
        "stream",
        Group(
            Setting("name", Text(), "The name of the metric."),
            Setting("description", Text(), "The description of the metric."),
            Setting("aggregation", _AGGREGATION, "What measurements become."),
            Setting("aggregation_cardinality_limit", Absent("the limit is the specification's, 2000"), ""),
            Setting(
                "attribute_keys",
                Group(
                    Setting("included", ListOf(Text(), "a list of names"), "The attributes to keep."),
                    Setting("excluded", Absent("name those to keep, as included"), ""),
                ),
                "Attributes of the metric.",
            ),
        ),
        "What they become.",
        required=True,
    ),
)

_METER_PROVIDER = Group(
    Setting(
        "readers",
        ListOf(
            OneOf("reader", periodic=_PERIODIC, pull=_PULLED),
            "a list of readers",
        ),
        "Who collects.",
        required=True,
    ),
    Setting("views", ListOf(_VIEW, "a list of views"), "Which instruments become which metrics.", ()),
    Setting("exemplar_filter", Choice("trace_based", "always_on", "always_off"), "What is an exemplar.", "trace_based"),
    Setting("meter_configurator/development", Absent(_NOT_YET), ""),
    optional=True,
    null="absent",
)

_DETECTORS = OneOf("resource detector", host=_NOTHING, process=_NOTHING, service=_NOTHING, container=Absent(_NOT_YET))

_RESOURCE = Group(
    Setting("attributes", Attributes(), "Attributes, each with its type."),
    Setting("attributes_list", Text("attributes as key=value,key=value"), "The same as text; attributes wins."),
    Setting("schema_url", Text(), "The schema that they follow."),
    Setting(
        "detection/development",
        Group(
            Setting("detectors", ListOf(_DETECTORS, "a list of detectors"), "Who finds more attributes.", ()),
            Setting("attributes", Absent("every attribute that a detector finds is kept"), ""),
        ),
        "What is found out.",
    ),
)

_PROPAGATOR = Group(
    Setting(
        "composite",
        ListOf(
            OneOf("propagator", tracecontext=_NOTHING, baggage=_NOTHING, b3=_NOTHING, b3multi=_NOTHING),
            "a list of propagators",
        ),
        "How context travels.",
        (),
    ),
    Setting("composite_list", Text("names with commas between them"), "The same as text, for installed ones."),
    optional=True,
    null="absent",
)

ROOT = Group(
    Setting("file_format", FileFormat(), "The version of the format.", required=True),
    Setting("disabled", Boolean(), "Record nothing.", default=False),
    Setting("log_level", Choice(*_SEVERITIES), "From which severity on the SDK says something itself."),
    Setting(
        "attribute_limits",
        Group(
            _count("attribute_value_length_limit: Characters of a text value."),
            _count("attribute_count_limit: Attributes of anything."),
        ),
        "Limits where nothing else is said.",
    ),
    Setting("resource", _RESOURCE, "Who sends telemetry."),
    Setting("propagator", _PROPAGATOR, "How context travels between services."),
    Setting("tracer_provider", _TRACER_PROVIDER, "Traces; without it none are recorded."),
    Setting("meter_provider", _METER_PROVIDER, "Metrics; without it none are recorded."),
    Setting("logger_provider", _LOGGER_PROVIDER, "Logs; without it none are recorded."),
    Setting("instrumentation/development", Ignored("instrumentations read their own variables"), ""),
    Setting("distribution", Ignored("there is nothing of other distributions here"), ""),
)
