//! Arithmetic over measured numbers: integers stay integers while they fit.
use millrace_wire::encode::Number;

/// The number as a double.
#[expect(
    clippy::cast_precision_loss,
    reason = "bounds, extremes and wire sums are doubles; above 2^53 the nearest one is meant"
)]
#[must_use]
#[inline]
pub fn to_double(number: Number) -> f64 {
    match number {
        Number::Int(value) => value as f64,
        Number::Double(value) => value,
    }
}

/// The sum: an integer if both are and it fits, else a double.
#[must_use]
#[inline]
pub fn add(left: Number, right: Number) -> Number {
    if let (Number::Int(left), Number::Int(right)) = (left, right)
        && let Some(sum) = left.checked_add(right)
    {
        return Number::Int(sum);
    }
    Number::Double(to_double(left) + to_double(right))
}

/// The difference: an integer if both are and it fits, else a double.
#[must_use]
pub fn subtract(left: Number, right: Number) -> Number {
    if let (Number::Int(left), Number::Int(right)) = (left, right)
        && let Some(difference) = left.checked_sub(right)
    {
        return Number::Int(difference);
    }
    Number::Double(to_double(left) - to_double(right))
}
