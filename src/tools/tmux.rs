//! tmux: what its version can do.

/// The least version that is asked for: `set-option -p` (options of a pane) came with 3.0.
const LEAST: (u32, u32) = (3, 0);

/// Is this version line (`tmux 3.3a`, `tmux next-3.5`, `tmux master`) recent enough?
#[must_use]
pub fn is_recent(line: &str) -> bool {
    let version = line.trim().trim_start_matches("tmux ").trim_start_matches("next-");
    if version == "master" {
        return true;
    }
    let mut numbers = version.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    });
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) => (major, minor) >= LEAST,
        (Some(major), None) => (major, 0) >= LEAST,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_recent;

    #[test]
    fn versions_are_numbers_with_letters_behind() {
        for good in
            ["tmux 3.0", "tmux 3.0a", "tmux 3.3a", "tmux 3.10", "tmux 4", "tmux next-3.5", "tmux master"]
        {
            assert!(is_recent(good), "{good}");
        }
        for bad in ["tmux 2.9a", "tmux 2.10", "tmux 1.8", "", "tmux openbsd", "screen 4.9"] {
            assert!(!is_recent(bad), "{bad}");
        }
    }
}
