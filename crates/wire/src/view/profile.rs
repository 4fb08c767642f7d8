//! Reads profiles and the dictionary that they refer to by index.

use super::scalar::{Fixed64s, Varints, text};
use super::{ValueView, view};
use crate::envelope::Envelope;
use crate::field::children;

view! {
    /// One `Profile`.
    ProfileView {
        /// When it begins, in nanoseconds since 1970.
        3 time_unix_nano: u64,
        /// How long it lasts, in nanoseconds.
        4 duration_nano: u64,
        /// How many units of the period type lie between two samples.
        6 period: i64,
        /// 16 bytes, or empty.
        7 profile_id: &'a [u8],
        /// How many attributes did not fit the limits.
        8 dropped_attributes_count: u32,
        /// The format of `original_payload`, for example `jfr`.
        9 original_payload_format: &'a str,
        /// The profile as its source wrote it.
        10 original_payload: &'a [u8],
    }
}

impl<'a> ProfileView<'a> {
    /// What the values of the samples are.
    #[must_use]
    pub fn sample_type(&self) -> ValueTypeView<'a> {
        ValueTypeView::new(children(self.bytes, 1).last().unwrap_or_default())
    }

    /// What the period is measured in.
    #[must_use]
    pub fn period_type(&self) -> ValueTypeView<'a> {
        ValueTypeView::new(children(self.bytes, 5).last().unwrap_or_default())
    }

    /// The samples, in order.
    pub fn samples(&self) -> impl Iterator<Item = SampleView<'a>> + use<'a> {
        children(self.bytes, 2).map(SampleView::new)
    }

    /// Indices into the attribute table.
    #[must_use]
    pub const fn attribute_indices(&self) -> Varints<'a> {
        Varints::new(self.bytes, 11)
    }
}

view! {
    /// One `ValueType`.
    ValueTypeView {
        /// Index of the type into the string table.
        1 type_strindex: i32,
        /// Index of the unit into the string table.
        2 unit_strindex: i32,
    }
}

view! {
    /// One `Sample`.
    SampleView {
        /// Index into the stack table.
        1 stack_index: i32,
        /// Index into the link table; 0 for none.
        3 link_index: i32,
    }
}

impl<'a> SampleView<'a> {
    /// Indices into the attribute table.
    #[must_use]
    pub const fn attribute_indices(&self) -> Varints<'a> {
        Varints::new(self.bytes, 2)
    }

    /// What was measured, one value per timestamp where there are timestamps.
    pub fn values(&self) -> impl Iterator<Item = i64> + use<'a> {
        Varints::new(self.bytes, 4).map(u64::cast_signed)
    }

    /// When it was measured, in nanoseconds since 1970.
    #[must_use]
    pub const fn timestamps_unix_nano(&self) -> Fixed64s<'a> {
        Fixed64s::new(self.bytes, 5)
    }
}

/// The `ProfilesDictionary` of a request. Entry 0 of each table is a zero value that stands for nothing.
#[derive(Clone, Copy, Debug)]
pub struct DictionaryView<'a> {
    request: &'a [u8],
}

impl<'a> DictionaryView<'a> {
    pub(super) const fn new(request: &'a [u8]) -> Self {
        Self { request }
    }

    /// The table of mappings.
    pub fn mappings(&self) -> impl Iterator<Item = MappingView<'a>> + use<'a> {
        self.table(1).map(MappingView::new)
    }

    /// The table of locations.
    pub fn locations(&self) -> impl Iterator<Item = LocationView<'a>> + use<'a> {
        self.table(2).map(LocationView::new)
    }

    /// The table of functions.
    pub fn functions(&self) -> impl Iterator<Item = FunctionView<'a>> + use<'a> {
        self.table(3).map(FunctionView::new)
    }

    /// The table of links to spans.
    pub fn links(&self) -> impl Iterator<Item = LinkEntryView<'a>> + use<'a> {
        self.table(4).map(LinkEntryView::new)
    }

    /// The table of strings.
    pub fn strings(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.table(5).map(text)
    }

    /// The table of attributes.
    pub fn attributes(&self) -> impl Iterator<Item = AttributeEntryView<'a>> + use<'a> {
        self.table(6).map(AttributeEntryView::new)
    }

    /// The table of stacks: for each its indices into the table of locations, leaf first.
    pub fn stacks(&self) -> impl Iterator<Item = Varints<'a>> + use<'a> {
        self.table(7).map(|stack| Varints::new(stack, 1))
    }

    fn table(&self, number: u32) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        // A dictionary that stands several times is one, whose tables continue.
        children(self.request, Envelope::DICTIONARY)
            .flat_map(move |dictionary| children(dictionary, number))
    }
}

view! {
    /// One `Mapping`: a file in memory.
    MappingView {
        /// The first address.
        1 memory_start: u64,
        /// The address behind the last.
        2 memory_limit: u64,
        /// Where in the file the first address lies.
        3 file_offset: u64,
        /// Index of the file's name into the string table.
        4 filename_strindex: i32,
    }
}

impl<'a> MappingView<'a> {
    /// Indices into the attribute table.
    #[must_use]
    pub const fn attribute_indices(&self) -> Varints<'a> {
        Varints::new(self.bytes, 5)
    }
}

view! {
    /// One `Location`: an address in the program.
    LocationView {
        /// Index into the table of mappings; 0 for none.
        1 mapping_index: i32,
        /// The address.
        2 address: u64,
    }
}

impl<'a> LocationView<'a> {
    /// The lines of source there, inlined functions first.
    pub fn lines(&self) -> impl Iterator<Item = LineView<'a>> + use<'a> {
        children(self.bytes, 3).map(LineView::new)
    }

    /// Indices into the attribute table.
    #[must_use]
    pub const fn attribute_indices(&self) -> Varints<'a> {
        Varints::new(self.bytes, 4)
    }
}

view! {
    /// One `Line` of source.
    LineView {
        /// Index into the table of functions.
        1 function_index: i32,
        /// Counted from 1; 0 if not known.
        2 line: i64,
        /// Counted from 1; 0 if not known.
        3 column: i64,
    }
}

view! {
    /// One `Function`.
    FunctionView {
        /// Index of the name, for people, into the string table.
        1 name_strindex: i32,
        /// Index of the name, as the system has it, into the string table.
        2 system_name_strindex: i32,
        /// Index of the file's name into the string table.
        3 filename_strindex: i32,
        /// The first line of the function; 0 if not known.
        4 start_line: i64,
    }
}

view! {
    /// One `Link` to a span.
    LinkEntryView {
        /// 16 bytes.
        1 trace_id: &'a [u8],
        /// 8 bytes.
        2 span_id: &'a [u8],
    }
}

view! {
    /// One `KeyValueAndUnit`.
    AttributeEntryView {
        /// Index of the key into the string table.
        1 key_strindex: i32,
        /// Index of the unit into the string table; 0 for none.
        3 unit_strindex: i32,
    }
}

impl<'a> AttributeEntryView<'a> {
    /// The value.
    #[must_use]
    pub fn value(&self) -> ValueView<'a> {
        ValueView::in_field(self.bytes, 2)
    }
}
