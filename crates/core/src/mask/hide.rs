//! Removing ids from displayed text.

use std::borrow::Cow;

const HIDDEN: &str = "(id)";
/// The length of a uuid, with and without hyphens.
const WHOLE: usize = uuid::fmt::Hyphenated::LENGTH;
const DIGITS: usize = uuid::fmt::Simple::LENGTH;

/// Replaces each uuid in a text with `(id)`: with or without hyphens, in upper or lower case. It is for texts from
/// elsewhere, such as the message of a service, which may quote a key.
pub fn without_ids(text: &str) -> Cow<'_, str> {
    let mut shown = String::new();
    let (mut copied, mut at) = (0, 0);
    let bytes = text.as_bytes();
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = [WHOLE, DIGITS].into_iter().find(|length| {
            // An id is ASCII, so it ends at a character boundary.
            let id = rest.get(..*length);
            id.is_some_and(is_id)
        });
        match length {
            Some(length) => {
                shown.push_str(&text[copied..at]);
                shown.push_str(HIDDEN);
                at += length;
                copied = at;
            }
            None => at += 1,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    shown.push_str(&text[copied..]);
    Cow::Owned(shown)
}

fn is_id(text: &[u8]) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    text.iter().enumerate().all(
        |(at, byte)| match text.len() == WHOLE && HYPHENS.contains(&at) {
            true => *byte == b'-',
            false => byte.is_ascii_hexdigit(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_hidden_and_all_else_stays() {
        let id = "5ae290ed-55d1-47a0-bc6d-fe2bc2700399";
        let upper = id.to_uppercase();
        let simple = id.replace('-', "");
        for id in [id, &upper, &simple] {
            assert_eq!(
                without_ids(&format!("é MSG#{id}: no, {id}")),
                "é MSG#(id): no, (id)"
            );
        }
        for text in ["", "é", "account 123456789012 eu-central-1", &id[..35]] {
            assert!(matches!(without_ids(text), Cow::Borrowed(same) if same == text));
        }
    }
}
