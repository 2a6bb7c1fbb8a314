//! Units as OTLP names them.

use crate::unit::Unit;

/// The unit in UCUM, the code of units that OTLP asks for. Prefixes are decimal, as CloudWatch's are.
///
/// A count is an annotation, `{count}`, and not `1`, which stands for a ratio; no unit is no text.
pub(crate) const fn ucum(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "s",
        Unit::Microseconds => "us",
        Unit::Milliseconds => "ms",
        Unit::Bytes => "By",
        Unit::Kilobytes => "kBy",
        Unit::Megabytes => "MBy",
        Unit::Gigabytes => "GBy",
        Unit::Terabytes => "TBy",
        Unit::Bits => "bit",
        Unit::Kilobits => "kbit",
        Unit::Megabits => "Mbit",
        Unit::Gigabits => "Gbit",
        Unit::Terabits => "Tbit",
        Unit::Percent => "%",
        Unit::Count => "{count}",
        Unit::BytesPerSecond => "By/s",
        Unit::KilobytesPerSecond => "kBy/s",
        Unit::MegabytesPerSecond => "MBy/s",
        Unit::GigabytesPerSecond => "GBy/s",
        Unit::TerabytesPerSecond => "TBy/s",
        Unit::BitsPerSecond => "bit/s",
        Unit::KilobitsPerSecond => "kbit/s",
        Unit::MegabitsPerSecond => "Mbit/s",
        Unit::GigabitsPerSecond => "Gbit/s",
        Unit::TerabitsPerSecond => "Tbit/s",
        Unit::CountPerSecond => "{count}/s",
        Unit::None => "",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_unit_has_a_code_of_its_own() {
        let codes: HashSet<_> = Unit::ALL.iter().map(|unit| ucum(*unit)).collect();
        assert_eq!(codes.len(), 27);
    }

    #[test]
    fn a_rate_is_its_unit_per_second() {
        for unit in Unit::ALL {
            let Some(of) = unit.as_str().strip_suffix("/Second") else { continue };
            let of: Unit = of.parse().unwrap();
            assert_eq!(ucum(*unit), format!("{}/s", ucum(of)));
        }
    }
}
