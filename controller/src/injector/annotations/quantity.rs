//! Kubernetes' quantities: `100m`, `1.5`, `250Mi`, `1e3`.

/// An amount, in thousandths.
///
/// `None` for what the API server would refuse, and for less than nothing.
pub(super) fn thousandths(text: &str) -> Option<u128> {
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || number.len() > 15 {
        return None;
    }
    // Nano, the smallest unit, and nine digits after the point.
    let digits = format!("{whole}{fraction:0<9}");
    let billionths: u128 = digits.get(..whole.len() + 9)?.parse().ok()?;
    let scaled = match unit {
        "n" => billionths / 1_000_000_000,
        "u" => billionths / 1_000_000,
        "m" => billionths / 1_000,
        "" => billionths,
        "k" => billionths * 1_000,
        "M" => billionths * 1_000_000,
        "G" => billionths * 1_000_000_000,
        "T" => billionths * 1_000_000_000_000,
        "P" => billionths * 1_000_000_000_000_000,
        "Ki" => billionths << 10,
        "Mi" => billionths << 20,
        "Gi" => billionths << 30,
        "Ti" => billionths << 40,
        "Pi" => billionths << 50,
        exponent => {
            let exponent = exponent.strip_prefix(['e', 'E'])?;
            let exponent: u32 = exponent.parse().ok().filter(|exponent| *exponent <= 15)?;
            billionths * 10_u128.pow(exponent)
        }
    };
    Some(scaled / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        for (text, expected) in [
            ("2", 2_000),
            ("100m", 100),
            ("1.5", 1_500),
            (".5", 500),
            ("1.", 1_000),
            ("20Mi", 20_971_520_000),
            ("1e3", 1_000_000),
            ("1k", 1_000_000),
            ("0", 0),
        ] {
            assert_eq!(thousandths(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn no_amounts() {
        for text in [
            "", "lots", "-1", "1.2.3", "1 Gi", "1gi", "e3", ".", "1e99", "Mi",
        ] {
            assert_eq!(thousandths(text), None, "{text}");
        }
    }
}
