//! Numbers: up to 38 significant digits, with a normal form in which equal numbers have the same text.

use std::fmt;

/// The maximum number of significant digits: see "Number" under "Data types" in the API reference.
const MAX_DIGITS: usize = 38;
/// The range of the first digit's exponent, from 1E-130 to 9.99E+125.
const EXPONENTS: std::ops::RangeInclusive<i64> = -130..=125;

/// The reason why the service does not accept a text as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberFault {
    /// It is not written as a number.
    #[error("a number that is none")]
    NoNumber,
    /// It has too many significant digits.
    #[error("a number with more than 38 significant digits")]
    TooManyDigits,
    /// It is too large, or too close to zero.
    #[error("a number that is too large or too small")]
    OutOfRange,
}

/// A number in its normal form: its digits without leading and trailing zeros, and a power of ten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    /// The digits without zeros at either end; empty if the number is zero.
    digits: String,
    /// The power of ten by which the digits, read as a whole number, are multiplied.
    power: i64,
}

impl Number {
    /// Reads a number: an optional sign, digits with or without a point, an optional exponent.
    ///
    /// # Errors
    ///
    /// If the service would not accept it.
    pub fn read(text: &str) -> Result<Self, NumberFault> {
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent),
            None => (text, "0"),
        };
        // If the exponent is too large for an i64, the service does not accept the number, either.
        let exponent: i64 = exponent.parse().map_err(|_| NumberFault::NoNumber)?;
        let negative = mantissa.starts_with('-');
        let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = format!("{whole}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(NumberFault::NoNumber);
        }
        let kept = digits.trim_end_matches('0');
        let zeros = digits.len() - kept.len();
        let kept = kept.trim_start_matches('0');
        if kept.is_empty() {
            return Ok(Self {
                negative: false,
                digits: String::new(),
                power: 0,
            });
        }
        if kept.len() > MAX_DIGITS {
            return Err(NumberFault::TooManyDigits);
        }
        let length = |text: usize| i64::try_from(text).unwrap_or(i64::MAX);
        let power = exponent
            .saturating_add(length(zeros))
            .saturating_sub(length(fraction.len()));
        if !EXPONENTS.contains(&power.saturating_add(length(kept.len()) - 1)) {
            return Err(NumberFault::OutOfRange);
        }
        Ok(Self {
            negative,
            digits: kept.to_owned(),
            power,
        })
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let sign = if self.negative { "-" } else { "" };
        write!(f, "{sign}{}E{}", self.digits, self.power)
    }
}

/// Returns the size in bytes: one for every two significant digits, one more, and another if the number is negative.
/// See "DynamoDB item sizes and formats" in the AWS developer guide.
pub(super) fn size(text: &str) -> usize {
    match Number::read(text) {
        Ok(number) => number.digits.len().div_ceil(2) + 1 + usize::from(number.negative),
        // The service does not accept such a number. For a limit, the length of the text is on the safe side.
        Err(_) => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_one_text() {
        for (form, texts) in [
            ("0", &["0", "-0", "0.00", "0e9", "000", "+0"][..]),
            ("1E0", &["1", "1.0", "01", "+1", "1E0", "0.1e1", "10e-1"]),
            ("-1E2", &["-100", "-1e2", "-1E+2", "-100.00"]),
            ("15E-1", &["1.5", "1.50", "15e-1"]),
            ("1E-130", &["1e-130", "0.1e-129"]),
            ("1E125", &["1e125", "10e124"]),
        ] {
            for text in texts {
                assert_eq!(Number::read(text).unwrap().to_string(), form, "{text}");
            }
        }
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        use NumberFault::{NoNumber, OutOfRange, TooManyDigits};
        let digits = |count: usize| "9".repeat(count);
        assert!(Number::read(&digits(38)).is_ok());
        assert!(Number::read(&format!("{}000", digits(38))).is_ok());
        for (text, fault) in [
            ("", NoNumber),
            ("-", NoNumber),
            (".", NoNumber),
            ("1e", NoNumber),
            ("1e1.5", NoNumber),
            ("--1", NoNumber),
            ("0x10", NoNumber),
            ("NaN", NoNumber),
            ("1 ", NoNumber),
            ("1e99999999999999999999", NoNumber),
            ("1e9223372036854775807", OutOfRange),
            ("1e-9223372036854775808", OutOfRange),
            ("1e126", OutOfRange),
            ("1e-131", OutOfRange),
            (&digits(39), TooManyDigits),
        ] {
            assert_eq!(Number::read(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn a_size_is_that_of_the_significant_digits() {
        for (text, bytes) in [
            ("0", 1),
            ("7", 2),
            ("-7", 3),
            ("100", 2),
            ("1.5e10", 2),
            ("0.0010", 2),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
        assert_eq!(size(&"9".repeat(38)), 20);
    }
}
