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
    /// Nodes of all paths together: one for each eight bytes.
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
            values_per_key: 512,
            keys: 512,
            value_bytes: 8 << 20,
            value_length: 4096,
            ids: 16_384,
            path_values: 4,
            path_nodes: 65_536,
        }
    }
}

impl Limits {
    /// The smaller of each: what two sides can both hold to.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        let mut smaller = self.numbers();
        for (one, two) in smaller.iter_mut().zip(other.numbers()) {
            *one = (*one).min(two);
        }
        Self::of(smaller)
    }

    /// Whether no bound is above that of `other`.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self.common(other) == self
    }

    /// The bounds as ten numbers with commas between them, in the order in which they are declared here.
    #[must_use]
    pub fn to_text(self) -> String {
        self.numbers().map(|number| number.to_string()).join(",")
    }

    /// Reads what [`to_text`](Self::to_text) writes.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let mut numbers = [0; 10];
        let mut parts = text.split(',');
        for number in &mut numbers {
            *number = parts.next()?.trim().parse().ok()?;
        }
        parts.next().is_none().then(|| Self::of(numbers))
    }

    const fn numbers(self) -> [usize; 10] {
        [
            self.request_bytes,
            self.shapes,
            self.shape_bytes,
            self.values_per_key,
            self.keys,
            self.value_bytes,
            self.value_length,
            self.ids,
            self.path_values,
            self.path_nodes,
        ]
    }

    const fn of(numbers: [usize; 10]) -> Self {
        let [
            request_bytes,
            shapes,
            shape_bytes,
            values_per_key,
            keys,
            value_bytes,
            value_length,
            ids,
            path_values,
            path_nodes,
        ] = numbers;
        Self {
            request_bytes,
            shapes,
            shape_bytes,
            values_per_key,
            keys,
            value_bytes,
            value_length,
            ids,
            path_values,
            path_nodes,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_written_as_text_are_read_back_and_the_smaller_of_each_is_common() {
        let mine = Limits {
            shapes: 5,
            ..Limits::default()
        };
        let theirs = Limits {
            ids: 8,
            ..Limits::default()
        };
        assert_eq!(Limits::from_text(&mine.to_text()), Some(mine));
        assert_eq!(
            mine.common(theirs),
            Limits {
                shapes: 5,
                ids: 8,
                ..Limits::default()
            }
        );
        assert!(mine.is_within(Limits::default()) && !Limits::default().is_within(mine));
        for text in ["", "1,2", "1,2,3,4,5,6,7,8,9,10,11", "a,2,3,4,5,6,7,8,9,10"] {
            assert_eq!(Limits::from_text(text), None);
        }
    }
}
