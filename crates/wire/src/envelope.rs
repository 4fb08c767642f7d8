//! The shape that all four signals share: a request holds resources, a resource holds scopes, a scope holds items.

use crate::Signal;
use crate::schema::{self, Message};

/// The three enveloping messages of a signal. Their fields have the same numbers in every signal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Envelope {
    pub(crate) request: &'static Message,
    pub(crate) resource: &'static Message,
    pub(crate) scope: &'static Message,
}

impl Envelope {
    /// Tag of the field of a request that holds its resources.
    pub(crate) const RESOURCES: u32 = 0x0a;
    /// Tag of the field of a resource that holds its scopes.
    pub(crate) const SCOPES: u32 = 0x12;
    /// Tag of the field of a scope that holds its spans, metrics, log records or profiles.
    pub(crate) const ITEMS: u32 = 0x12;
    /// Number of the field of a resource and of a scope that describes the resource or scope itself.
    pub(crate) const DESCRIPTION: u32 = 1;
    /// Number of the field of a request for profiles that holds the dictionary.
    pub(crate) const DICTIONARY: u32 = 2;

    pub(crate) const fn of(signal: Signal) -> Self {
        match signal {
            Signal::Traces => Self {
                request: &schema::EXPORT_TRACE_SERVICE_REQUEST,
                resource: &schema::RESOURCE_SPANS,
                scope: &schema::SCOPE_SPANS,
            },
            Signal::Metrics => Self {
                request: &schema::EXPORT_METRICS_SERVICE_REQUEST,
                resource: &schema::RESOURCE_METRICS,
                scope: &schema::SCOPE_METRICS,
            },
            Signal::Logs => Self {
                request: &schema::EXPORT_LOGS_SERVICE_REQUEST,
                resource: &schema::RESOURCE_LOGS,
                scope: &schema::SCOPE_LOGS,
            },
            Signal::Profiles => Self {
                request: &schema::EXPORT_PROFILES_SERVICE_REQUEST,
                resource: &schema::RESOURCE_PROFILES,
                scope: &schema::SCOPE_PROFILES,
            },
        }
    }
}
