//! Looks into validated requests without decoding them: one view per message, borrowed from the request's bytes.
//!
//! ```text
//! TracesView   -> ResourceView -> ScopeView -> SpanView      -> EventView, LinkView
//! MetricsView  -> ResourceView -> ScopeView -> MetricView    -> NumberPointView, HistogramPointView, ...
//! LogsView     -> ResourceView -> ScopeView -> LogRecordView
//! ProfilesView -> ResourceView -> ScopeView -> ProfileView   -> SampleView;   DictionaryView
//! ```
//!
//! A view reads its message once, from front to back, when it is made: scalars are plain fields then, and repeated messages
//! are iterators over the bytes. The last of several values of one field wins, as everywhere in protobuf. On bytes that were
//! not validated a view finds less than there is, but never panics.

mod attribute;
mod log;
mod metric;
mod profile;
mod request;
mod scalar;
mod span;

pub use attribute::{ArrayView, Attributes, KeyValueView, ValueView};
pub use log::LogRecordView;
pub use metric::{
    BucketsView, DataView, ExemplarView, ExponentialHistogramPointView, HistogramPointView,
    MetricView, NumberPointView, NumberView, SummaryPointView,
};
pub use profile::{
    AttributeEntryView, DictionaryView, FunctionView, LineView, LinkEntryView, LocationView,
    MappingView, ProfileView, SampleView, ValueTypeView,
};
pub use request::{RequestView, ResourceView, ScopeView};
pub use scalar::{Doubles, Fixed64s, Varints};
pub use span::{EventView, LinkView, SpanView};

/// Declares a view: a struct with one plain field per scalar of the message, filled in one pass.
macro_rules! view {
    (
        $(#[$about:meta])*
        $name:ident { $( $(#[$field_about:meta])* $number:literal $field:ident: $type:ty, )* }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name<'a> {
            bytes: &'a [u8],
            $( $(#[$field_about])* pub $field: $type, )*
        }

        impl<'a> $name<'a> {
            /// Reads the content of a validated message.
            #[must_use]
            pub fn new(bytes: &'a [u8]) -> Self {
                let mut view = Self { bytes, $( $field: Default::default(), )* };
                for field in crate::field::Fields::new(bytes) {
                    match field.number {
                        $( $number => crate::view::scalar::Scalar::read(&mut view.$field, field.value), )*
                        _ => {}
                    }
                }
                view
            }

            /// The bytes of the message.
            #[must_use]
            pub const fn bytes(&self) -> &'a [u8] {
                self.bytes
            }
        }
    };
}
use view;
