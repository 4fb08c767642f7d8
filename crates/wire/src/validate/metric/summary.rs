//! Checks the points of summaries (D6, D10).

use super::super::wire::{Checked, delimited, fixed64, tag, varint};
use super::super::{Broken, generic, value};
use super::verdict;
use crate::schema;

const TIME: u32 = 0x19;
const QUANTILE_VALUES: u32 = 0x32;
const ATTRIBUTES: u32 = 0x3a;
const FLAGS: u32 = 0x40;

const QUANTILE: u32 = 0x09;
const VALUE: u32 = 0x11;

/// Checks one `SummaryDataPoint`.
pub(super) fn point(bytes: &[u8]) -> Checked<Option<Broken>> {
    let (mut time, mut flags) = (0, 0);
    let (mut broken, mut last_quantile) = (None, -1.0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            ATTRIBUTES => {
                let (attribute, rest) = delimited(after)?;
                value::attribute(attribute)?;
                rest
            }
            TIME => {
                let rest;
                (time, rest) = fixed64(after)?;
                rest
            }
            QUANTILE_VALUES => {
                let (pair, rest) = delimited(after)?;
                let (quantile, value) = quantile_value(pair)?;
                if !(0.0..=1.0).contains(&quantile) || quantile <= last_quantile {
                    broken = broken.or(Some(Broken::Quantiles));
                }
                // NaN is what a summary without observations says, and is not negative.
                if value < 0.0 {
                    broken = broken.or(Some(Broken::NegativeQuantileValue));
                }
                last_quantile = quantile;
                rest
            }
            FLAGS => {
                let rest;
                (flags, rest) = varint(after)?;
                rest
            }
            _ => generic::field(&schema::SUMMARY_DATA_POINT, tag, after, rest)?,
        };
    }
    Ok(verdict(time, flags, || broken))
}

fn quantile_value(bytes: &[u8]) -> Checked<(f64, f64)> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (tag, after) = tag(rest)?;
        rest = match tag {
            QUANTILE | VALUE => {
                let (bits, rest) = fixed64(after)?;
                *(if tag == QUANTILE {
                    &mut quantile
                } else {
                    &mut value
                }) = f64::from_bits(bits);
                rest
            }
            _ => generic::field(
                &schema::SUMMARY_DATA_POINT_VALUE_AT_QUANTILE,
                tag,
                after,
                rest,
            )?,
        };
    }
    Ok((quantile, value))
}
