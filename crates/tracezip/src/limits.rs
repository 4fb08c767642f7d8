//! How much one session may hold and one frame may carry: what both sides agree on before they start.

/// Bounds of a session. Both sides must use the same ones, for they decide what is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest request in bytes.
    pub request_bytes: usize,
    /// Shapes of messages that are remembered.
    pub shapes: usize,
    /// Bytes of all signatures of shapes together.
    pub shape_bytes: usize,
    /// Values remembered for each key.
    pub values_per_key: usize,
    /// Keys that have a dictionary of their own.
    pub keys: usize,
    /// Bytes of all remembered values together.
    pub value_bytes: usize,
    /// Longest value that is remembered.
    pub value_length: usize,
    /// Span ids that are remembered; trace ids are a quarter as many.
    pub ids: usize,
    /// Distinct values up to which a slot takes part in the paths of its shape (ψ). 0 switches paths off.
    pub path_values: usize,
    /// Nodes of all paths together.
    pub path_nodes: usize,
}

/// Deepest nesting that [`Limits`] allow to reach: a request, its resources, scopes, items, and what is in an item.
pub(crate) const DEPTH: usize = 6;

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_bytes: 16 << 20,
            shapes: 4096,
            shape_bytes: 1 << 20,
            values_per_key: 1024,
            keys: 512,
            value_bytes: 8 << 20,
            value_length: 4096,
            ids: 16_384,
            path_values: 16,
            path_nodes: 65_536,
        }
    }
}

impl Limits {
    /// The smaller of each: what two sides can both hold to.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        Self {
            request_bytes: self.request_bytes.min(other.request_bytes),
            shapes: self.shapes.min(other.shapes),
            shape_bytes: self.shape_bytes.min(other.shape_bytes),
            values_per_key: self.values_per_key.min(other.values_per_key),
            keys: self.keys.min(other.keys),
            value_bytes: self.value_bytes.min(other.value_bytes),
            value_length: self.value_length.min(other.value_length),
            ids: self.ids.min(other.ids),
            path_values: self.path_values.min(other.path_values),
            path_nodes: self.path_nodes.min(other.path_nodes),
        }
    }

    /// The bounds with every one inside of what positions on the wire can say.
    pub(crate) fn clamped(self) -> Self {
        Self {
            shapes: self.shapes.clamp(1, 16_384),
            values_per_key: self.values_per_key.clamp(1, 16_384),
            keys: self.keys.clamp(1, 4096),
            ids: self.ids.clamp(4, 32_768),
            ..self
        }
    }
}
