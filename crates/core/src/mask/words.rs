//! Invented words and names.
//!
//! No run of letters is longer than four, so five letters of a real name can never occur by chance. A longer word has a
//! hyphen in it: `quis-sed`. The letters are `acdeilmnopqrstuv`.

use unicode_segmentation::UnicodeSegmentation;

/// All letters that are used.
#[cfg(test)]
pub(super) const LETTERS: &str = "acdeilmnopqrstuv";

/// Latin words by length. Everybody sees that they have no meaning. The number of words of each length is a power of
/// two, so that all are equally likely.
const ONE: [&str; 2] = ["a", "e"];
const TWO: [&str; 16] = [
    "ac", "ad", "at", "de", "ea", "eo", "et", "id", "in", "is", "me", "ne", "si", "te", "tu", "ut",
];
const THREE: [&str; 16] = [
    "sed", "sit", "est", "non", "nec", "per", "pro", "vel", "eos", "eum", "iam", "ius", "mea",
    "nam", "quo", "qui",
];
const FOUR: [&str; 32] = [
    "amet", "elit", "nunc", "erat", "odio", "urna", "orci", "ante", "arcu", "nisl", "quis", "nisi",
    "modo", "quae", "quam", "quid", "quod", "tunc", "sunt", "esse", "enim", "inde", "item", "idem",
    "ipsa", "ipso", "sine", "illo", "iste", "olim", "omni", "sane",
];

/// The most letters in a run.
const LONGEST: usize = 4;

/// Returns invented words for a text. Each grapheme that is not whitespace becomes a letter or a hyphen. Line ends
/// stay, and other whitespace becomes a space. `bytes` selects the words.
pub(super) fn text(text: &str, bytes: &mut impl Iterator<Item = u8>) -> String {
    let mut words = String::with_capacity(text.len());
    let mut length = 0;
    for grapheme in text.graphemes(true) {
        if !grapheme.chars().all(char::is_whitespace) {
            length += 1;
            continue;
        }
        word(std::mem::take(&mut length), bytes, &mut words);
        words.push(if grapheme.contains('\n') { '\n' } else { ' ' });
    }
    word(length, bytes, &mut words);
    words
}

/// Writes a word of `length` letters and hyphens.
fn word(length: usize, bytes: &mut impl Iterator<Item = u8>, words: &mut String) {
    let mut parts = (length + 1).div_ceil(LONGEST + 1);
    let mut letters = (length + 1).saturating_sub(parts);
    while parts > 0 && letters > 0 {
        let part = letters.div_ceil(parts);
        words.push_str(latin(part, bytes));
        parts -= 1;
        letters -= part;
        if parts > 0 {
            words.push('-');
        }
    }
}

fn latin(letters: usize, bytes: &mut impl Iterator<Item = u8>) -> &'static str {
    let words: &[&str] = match letters {
        1 => &ONE,
        2 => &TWO,
        3 => &THREE,
        _ => &FOUR,
    };
    let choice = bytes.next().unwrap_or_default();
    words[usize::from(choice) % words.len()]
}

/// The letters of names: 8 consonants and 4 vowels.
const CONSONANTS: &[u8; 8] = b"dlmnrstv";
const VOWELS: &[u8; 4] = b"aeio";

/// Makes a name and a handle from a digest: three parts of four letters, and in the handle also a number. There are
/// 10^12 handles.
pub(super) fn name(digest: &[u8; 32]) -> (String, String) {
    let (letters, number) = digest.split_at(24);
    let parts = letters.chunks(8).map(|bytes| {
        let syllables = bytes.chunks(4).flat_map(|two| {
            let consonant = CONSONANTS[usize::from(two[0]) % CONSONANTS.len()];
            [consonant, VOWELS[usize::from(two[1]) % VOWELS.len()]].map(char::from)
        });
        syllables.collect::<String>()
    });
    let parts: Vec<String> = parts.collect();
    let mut eight = [0; 8];
    eight.copy_from_slice(number);
    let number = u64::from_be_bytes(eight) % 1_000;
    let handle = format!("{}-{number:03}", parts.join("-"));
    let capital = |part: &String| {
        let (first, rest) = part.split_at(1);
        first.to_ascii_uppercase() + rest
    };
    let words: Vec<String> = parts.iter().map(capital).collect();
    (words.join(" "), handle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_length_and_the_letters_that_are_said() {
        for (length, words) in [ONE.as_slice(), &TWO, &THREE, &FOUR]
            .into_iter()
            .enumerate()
        {
            assert!(words.len().is_power_of_two());
            for word in words {
                assert_eq!(word.len(), length + 1, "{word}");
                assert!(word.chars().all(|c| LETTERS.contains(c)), "{word}");
            }
        }
        let names = CONSONANTS.iter().chain(VOWELS);
        assert!(names.map(|c| char::from(*c)).all(|c| LETTERS.contains(c)));
    }

    #[test]
    fn words_keep_their_lengths_and_lines_their_ends() {
        let of = |source: &str| text(source, &mut std::iter::repeat(0));
        assert_eq!(of(""), "");
        assert_eq!(of("ok"), "ac");
        assert_eq!(of("Hello there, Bob!"), "ac-ac sed-ac amet");
        assert_eq!(of("a\tb\r\nc\u{2003}d"), "a a\na a");
        assert_eq!(of("👩‍👩‍👧 é"), "a a");
        for length in 1..100 {
            let word = of(&"x".repeat(length));
            assert_eq!(word.len(), length);
            assert!(
                word.split('-').all(|part| (1..=4).contains(&part.len())),
                "{word}"
            );
        }
    }
}
