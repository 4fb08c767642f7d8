//! JSON numbers, exactly: whole numbers of 64 bits in every spelling, and doubles.

/// The longest number that is looked at. A double never needs more than 800 digits to be told from its neighbours.
const LENGTH_LIMIT: usize = 1_100;

/// Why text is not the number that its field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Not a number as JSON spells them.
    Malformed,
    /// A number, but not a whole one.
    Fraction,
    /// Outside the range of the type.
    Range,
    /// Longer than any number needs to be.
    Long,
}

/// A whole number as sign and magnitude, so that one type carries all of `i64` and `u64`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Integer {
    pub(super) negative: bool,
    pub(super) magnitude: u64,
}

/// Reads a whole number. `1.0` and `1e3` are whole numbers as well, as the proto3 JSON mapping has it.
#[inline]
pub(super) fn integer(text: &[u8]) -> Result<Integer, Flaw> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Nineteen nines are less than 2^64: no overflow to look for.
    let plain = match digits {
        [b'0', _, ..] | [] => false,
        digits => digits.len() <= 19 && digits.iter().all(u8::is_ascii_digit),
    };
    if plain {
        let magnitude = digits.iter().fold(0, |sum, digit| sum * 10 + value(*digit));
        return Ok(Integer {
            negative,
            magnitude,
        });
    }
    let parts = Parts::of(text)?;
    parts.magnitude().map(|magnitude| Integer {
        negative,
        magnitude,
    })
}

/// Reads a double from the text of a JSON number, or from one of the three names that the proto3 JSON mapping knows.
pub(super) fn double(text: &[u8], quoted: bool) -> Result<f64, Flaw> {
    if quoted {
        match text {
            b"NaN" => return Ok(f64::NAN),
            b"Infinity" => return Ok(f64::INFINITY),
            b"-Infinity" => return Ok(f64::NEG_INFINITY),
            _ => {}
        }
    }
    // The standard library also takes `+1`, `.5`, `inf` and more, which JSON does not.
    Parts::of(text)?;
    let value: f64 = str::from_utf8(text)
        .ok()
        .and_then(|text| text.parse().ok())
        .ok_or(Flaw::Malformed)?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(Flaw::Range)
    }
}

/// The parts of a JSON number: `-` whole `.` fraction `e` exponent.
struct Parts<'a> {
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: isize,
}

impl<'a> Parts<'a> {
    fn of(text: &'a [u8]) -> Result<Self, Flaw> {
        if text.len() > LENGTH_LIMIT {
            return Err(Flaw::Long);
        }
        let unsigned = text.strip_prefix(b"-").unwrap_or(text);
        let (whole, rest) = split_digits(unsigned);
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with(b"0")) {
            return Err(Flaw::Malformed);
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => match split_digits(rest) {
                ([], _) => return Err(Flaw::Malformed),
                parts => parts,
            },
            rest => (&[][..], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', b'-', digits @ ..] => -exponent(digits)?,
            [b'e' | b'E', b'+', digits @ ..] | [b'e' | b'E', digits @ ..] => exponent(digits)?,
            _ => return Err(Flaw::Malformed),
        };
        Ok(Self {
            whole,
            fraction,
            exponent,
        })
    }

    fn magnitude(&self) -> Result<u64, Flaw> {
        let digits = || self.whole.iter().chain(self.fraction).copied();
        let zeros = digits().rev().take_while(|digit| *digit == b'0').count();
        let significant = self.whole.len() + self.fraction.len() - zeros;
        if significant == 0 {
            return Ok(0);
        }
        // By how many places the last digit that is not zero stands left of the point; never more than the text is long,
        // or than the exponent says, which saturates.
        let places = self.exponent + zeros.cast_signed() - self.fraction.len().cast_signed();
        if places < 0 {
            return Err(Flaw::Fraction);
        }
        let append = |sum: u64, digit: u8| {
            sum.checked_mul(10)
                .and_then(|sum| sum.checked_add(value(digit)))
        };
        let sum = digits().take(significant).try_fold(0, append);
        // Ends at the latest when the twentieth zero does not fit any more: the sum is at least 1.
        (0..places)
            .try_fold(sum.ok_or(Flaw::Range)?, |sum, _| append(sum, b'0'))
            .ok_or(Flaw::Range)
    }
}

fn exponent(digits: &[u8]) -> Result<isize, Flaw> {
    match split_digits(digits) {
        ([], _) | (_, [_, ..]) => Err(Flaw::Malformed),
        (digits, []) => Ok(digits.iter().fold(0, |sum: isize, digit| {
            // A million is as far out of range as any more.
            (sum * 10 + isize::from((digit & 0x0f).cast_signed())).min(1_000_000)
        })),
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at(end)
}

#[inline]
fn value(digit: u8) -> u64 {
    u64::from(digit & 0x0f)
}
