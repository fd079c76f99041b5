//! How wide text is on a terminal, and cutting it without harm.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Returns the columns that text takes on a terminal.
pub fn of(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Cuts text to a number of columns, with `…` for what is gone; never inside a grapheme.
pub fn cut(text: &str, columns: usize) -> String {
    if of(text) <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(1);
    let mut kept = String::new();
    let mut used = 0;
    for grapheme in text.graphemes(true) {
        let width = grapheme.width();
        if used + width > room {
            break;
        }
        used += width;
        kept.push_str(grapheme);
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// Fits columns of the given natural widths into `room`: those that are cut become equally wide.
/// Columns that are marked to be kept are cut only where the others cannot give enough.
pub fn fit(natural: &[usize], keep: &[bool], room: usize) -> Vec<usize> {
    const LEAST: usize = 4;
    let kept: usize = sum(natural, keep, true);
    let least: usize = natural
        .iter()
        .zip(keep)
        .filter(|(_, keep)| !**keep)
        .map(|(width, _)| (*width).min(LEAST))
        .sum();
    if kept + least <= room {
        let cap = widest_cap(natural, keep, room - kept);
        widths(natural, keep, cap)
    } else {
        let none = vec![false; natural.len()];
        let cap = widest_cap(natural, &none, room).max(1);
        widths(natural, &none, cap)
    }
}

fn sum(natural: &[usize], keep: &[bool], which: bool) -> usize {
    natural
        .iter()
        .zip(keep)
        .filter(|(_, keep)| **keep == which)
        .map(|(width, _)| *width)
        .sum()
}

fn widths(natural: &[usize], keep: &[bool], cap: usize) -> Vec<usize> {
    natural
        .iter()
        .zip(keep)
        .map(|(width, keep)| if *keep { *width } else { (*width).min(cap) })
        .collect()
}

/// Finds the widest cap under which the columns that may be cut fit into `room`.
fn widest_cap(natural: &[usize], keep: &[bool], room: usize) -> usize {
    let widest = natural.iter().copied().max().unwrap_or_default();
    let fits = |cap: usize| sum(&widths(natural, keep, cap), keep, false) <= room;
    (0..=widest).rev().find(|cap| fits(*cap)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn p29_widths_are_those_of_a_terminal() {
        for (text, columns) in [
            ("abc", 3),
            ("漢字", 4),
            ("e\u{301}", 1),
            ("👍", 2),
            ("👩‍👩‍👧", 2),
            ("🇦🇹", 2),
            ("", 0),
        ] {
            assert_eq!(of(text), columns, "{text}");
        }
    }

    #[test]
    fn p29_a_cut_never_splits_a_grapheme() {
        assert_eq!(cut("hello", 5), "hello");
        assert_eq!(cut("hello", 4), "hel…");
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!(cut("a👩‍👩‍👧bcd", 4), "a👩‍👩‍👧…");
        assert_eq!(cut("a👩‍👩‍👧bcd", 3), "a…");
        assert_eq!(cut("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(cut("hello", 1), "…");
        assert_eq!(cut("hello", 0), "");
    }

    #[test]
    fn what_is_kept_is_cut_last() {
        assert_eq!(fit(&[5, 10], &[false, false], 20), [5, 10]);
        assert_eq!(fit(&[5, 30], &[false, false], 20), [5, 15]);
        assert_eq!(fit(&[30, 30], &[false, false], 20), [10, 10]);
        assert_eq!(fit(&[12, 30, 30], &[true, false, false], 22), [12, 5, 5]);
        assert_eq!(fit(&[20, 30], &[true, false], 20), [10, 10]);
        assert_eq!(fit(&[30, 30], &[false, false], 0), [1, 1]);
    }

    proptest! {
        #[test]
        fn p29_a_cut_text_fits_and_is_a_prefix(text in ".{0,30}", columns in 0usize..20) {
            let short = cut(&text, columns);
            prop_assert!(of(&short) <= columns);
            let prefix: Vec<&str> = short.trim_end_matches('…').graphemes(true).collect();
            let whole: Vec<&str> = text.graphemes(true).collect();
            prop_assert!(short == text || whole.starts_with(&prefix));
        }

        #[test]
        fn columns_fit_where_they_can(
            natural in prop::collection::vec(1usize..60, 1..10),
            keep in prop::collection::vec(any::<bool>(), 10),
            room in 10usize..200,
        ) {
            let widths = fit(&natural, &keep[..natural.len()], room);
            prop_assert!(widths.iter().sum::<usize>() <= room);
            prop_assert!(widths.iter().zip(&natural).all(|(fitted, natural)| fitted <= natural));
        }
    }
}
