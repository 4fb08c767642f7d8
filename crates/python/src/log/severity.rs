//! Severities: from the levels of `logging` and the API's enumeration to OTLP's numbers.
use pyo3::prelude::*;

/// OTLP's `SEVERITY_NUMBER_FATAL4`, the highest.
const HIGHEST: i64 = 24;
/// The first of the four numbers of DEBUG; INFO, WARN, ERROR and FATAL follow, four each.
const DEBUG: i64 = 5;

/// The severity of a level: the ten levels from 10 on are DEBUG to DEBUG4, and so on; each has its own number up to the fourth.
pub(super) fn of_level(level: i64) -> i32 {
    let number = if level < 10 {
        0
    } else if level > 53 {
        HIGHEST
    } else {
        let (tens, ones) = (level / 10 - 1, level % 10);
        DEBUG + 4 * tens + ones.min(3)
    };
    number as i32
}

/// The number of a member of `SeverityNumber`, or of a plain number; 0 for anything else.
pub(super) fn of_object(severity: &Bound<'_, PyAny>) -> i32 {
    if severity.is_none() {
        return 0;
    }
    // The property `value` of an enumeration costs more than everything else here.
    let value = match severity.getattr_opt(pyo3::intern!(severity.py(), "_value_")) {
        Ok(Some(value)) => value,
        _ => severity.clone(),
    };
    let number: i64 = value.extract().unwrap_or(0);
    number.clamp(0, HIGHEST) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_become_the_severities_of_the_data_model() {
        let levels = [0, 9, 10, 12, 13, 19, 20, 25, 30, 41, 50, 53, 54, 1_000, -5];
        let numbers = [0, 0, 5, 7, 8, 8, 9, 12, 13, 18, 21, 24, 24, 24, 0];
        assert_eq!(levels.map(of_level), numbers);
    }
}
