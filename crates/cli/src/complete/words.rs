//! Splits an unfinished line into words as a shell does.

/// Splits a line up to the cursor. The last word is the one that is being typed: it is empty after a space, and its
/// quote may still be open.
pub(super) fn split(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        let Some(word) = words.last_mut() else {
            break;
        };
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('\''), c) => word.push(c),
            (_, '\\') => word.extend(characters.next()),
            (Some(_), c) => word.push(c),
            (None, '\'' | '"') => quote = Some(c),
            (None, c) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(String::new());
                }
            }
            (None, c) => word.push(c),
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_split_up_to_the_cursor() {
        for (line, words) in [
            ("ddb", vec!["ddb"]),
            ("ddb ", vec!["ddb", ""]),
            ("ddb  scan --ta", vec!["ddb", "scan", "--ta"]),
            (
                "ddb seed --users 'my us",
                vec!["ddb", "seed", "--users", "my us"],
            ),
            ("ddb a\\ b \"c d\" e", vec!["ddb", "a b", "c d", "e"]),
        ] {
            assert_eq!(split(line), words, "{line}");
        }
    }
}
