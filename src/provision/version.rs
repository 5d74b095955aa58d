//! Versions, as far as "is it at least this one?" needs them.

/// Is `version` at least `least`? Numbers between dots are compared; what is missing counts as nothing.
#[must_use]
pub fn at_least(version: &str, least: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split('.')
            .map(|part| part.chars().take_while(char::is_ascii_digit).collect::<String>())
            .map(|digits| digits.parse().unwrap_or(0))
            .collect()
    };
    let (mut version, mut least) = (numbers(version), numbers(least));
    let length = version.len().max(least.len());
    version.resize(length, 0);
    least.resize(length, 0);
    version >= least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_compared() {
        for (version, least) in [("22.23.3", "22"), ("3.3a", "3.0"), ("1.10", "1.9"), ("2", "2.0.0")] {
            assert!(at_least(version, least), "{version} {least}");
        }
        for (version, least) in [("18.20.4", "22"), ("1.18.33", "2"), ("0.161", "0.162"), ("", "1")] {
            assert!(!at_least(version, least), "{version} {least}");
        }
    }
}
