//! The width of text on a terminal, and how to cut text safely.

use unicode_linebreak::linebreaks;
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Returns the number of columns that text takes on a terminal.
pub fn of(text: &str) -> usize {
    text.graphemes(true).map(UnicodeWidthStr::width).sum()
}

/// Cuts text to a number of columns, with `…` for the rest, and never inside a grapheme.
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

/// Breaks text into lines of at most `columns` columns: where Unicode allows it (UAX #14), or else between two
/// graphemes. Spaces at a break are dropped. A grapheme that is wider than a line gets its own line.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    let mut start = 0;
    let mut end_line = |line: &mut String, used: &mut usize| {
        lines.push(line.trim_end().to_owned());
        line.clear();
        *used = 0;
    };
    for (end, _) in linebreaks(text) {
        let piece = &text[start..end];
        start = end;
        if used > 0 && used + of(piece.trim_end()) > columns {
            end_line(&mut line, &mut used);
        }
        for grapheme in piece.graphemes(true) {
            let width = grapheme.width();
            if used > 0 && used + width > columns && !grapheme.trim().is_empty() {
                end_line(&mut line, &mut used);
            }
            used += width;
            line.push_str(grapheme);
        }
    }
    if !line.trim_end().is_empty() || text.trim().is_empty() {
        end_line(&mut line, &mut used);
    }
    lines
}

/// Breaks text at spaces into lines of at most `columns` columns, of which the first line has already used `taken`. A
/// word, or text between two backticks, stays whole even if it is wider, so that it can be copied: the terminal wraps
/// it. If the text is indented, the lines after the first are indented a little more.
pub fn wrap_words(text: &str, taken: usize, columns: usize) -> String {
    let indent = match text.len() - text.trim_start_matches(' ').len() {
        0 => 0,
        blanks => blanks + 2,
    };
    let mut wrapped = String::with_capacity(text.len());
    let mut used = taken;
    for (nth, word) in words(text).enumerate() {
        let width = of(word);
        if nth > 0 && used > indent && used + 1 + width > columns {
            wrapped.push('\n');
            wrapped.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if nth > 0 {
            wrapped.push(' ');
            used += 1;
        }
        wrapped.push_str(word);
        used += width;
        if used > columns && columns > 0 {
            used %= columns;
        }
    }
    wrapped
}

/// Splits text at every space that is not between two backticks.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut from = 0;
        while let Some(at) = text[from..].find([' ', '`']).map(|at| from + at) {
            from = at + 1;
            if text.as_bytes()[at] == b' ' {
                rest = Some(&text[from..]);
                return Some(&text[..at]);
            }
            // A backtick without a partner is an ordinary character.
            from += text[from..].find('`').map_or(0, |end| end + 1);
        }
        rest = None;
        Some(text)
    })
}

/// How important it is that a column stays whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// Cut first: ids, which nobody reads.
    Low,
    /// Cut next: text.
    Normal,
    /// Cut last: what people compare and copy.
    High,
}

/// No column is cut below this width for the sake of one that ranks higher.
pub const LEAST: usize = 6;

/// Fits columns with the given natural widths into `room`. Low ranks are cut before high ones; within a rank, the
/// columns that are cut become equally wide. No column gets narrower than its `least` width, unless there is no room
/// for that either.
pub fn fit(natural: &[usize], ranks: &[Rank], least: &[usize], room: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    for rank in [Rank::Low, Rank::Normal, Rank::High] {
        let members: Vec<usize> = (0..widths.len()).filter(|i| ranks[*i] == rank).collect();
        cap(&mut widths, &members, room, least);
    }
    let all: Vec<usize> = (0..widths.len()).collect();
    cap(&mut widths, &all, room, &vec![1; natural.len()]);
    widths
}

/// Limits some columns to the greatest width at which all of them fit, but never below their `least` width.
fn cap(widths: &mut [usize], members: &[usize], room: usize, least: &[usize]) {
    let total: usize = widths.iter().sum();
    let own: usize = members.iter().map(|i| widths[*i]).sum();
    let room = room.saturating_sub(total - own);
    let widest = members.iter().map(|i| widths[*i]).max().unwrap_or_default();
    let capped = |i: usize, cap: usize| widths[i].min(cap.max(least[i]));
    let fits = |cap: usize| members.iter().map(|i| capped(*i, cap)).sum::<usize>() <= room;
    let cap = (0..=widest).rev().find(|cap| fits(*cap)).unwrap_or(0);
    let fitted: Vec<usize> = members.iter().map(|i| capped(*i, cap)).collect();
    for (i, width) in members.iter().zip(fitted) {
        widths[*i] = width;
    }
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
    fn p29_lines_break_where_people_would_break_them() {
        for (text, columns, lines) in [
            ("", 5, vec![""]),
            ("one two", 7, vec!["one two"]),
            ("one two, three", 8, vec!["one two,", "three"]),
            ("one  two", 4, vec!["one", "two"]),
            ("one 18:42? Yes", 8, vec!["one", "18:42?", "Yes"]),
            ("abcdefgh ij", 3, vec!["abc", "def", "gh", "ij"]),
            ("漢字漢字", 5, vec!["漢字", "漢字"]),
            ("a👩‍👩‍👧👩‍👩‍👧", 3, vec!["a👩‍👩‍👧", "👩‍👩‍👧"]),
            ("e\u{301}e\u{301}", 1, vec!["e\u{301}", "e\u{301}"]),
            ("end ", 3, vec!["end"]),
            ("a\u{16ff2}\u{d02}b", 2, vec!["a", "\u{16ff2}\u{d02}", "b"]),
        ] {
            assert_eq!(wrap(text, columns), lines, "{text:?} {columns}");
        }
    }

    #[test]
    fn words_and_commands_stay_whole() {
        for (text, taken, columns, lines) in [
            ("", 0, 5, ""),
            ("one two", 0, 7, "one two"),
            ("one two", 1, 7, "one\ntwo"),
            ("a `b c d e` f", 0, 6, "a\n`b c d e` f"),
            ("a `b c`, d", 0, 8, "a `b c`,\nd"),
            ("a `b c d", 0, 4, "a `b\nc d"),
            ("abcdefgh i j", 0, 5, "abcdefgh i\nj"),
            ("  ab cd ef", 0, 7, "  ab cd\n    ef"),
            ("漢字 漢字", 0, 8, "漢字\n漢字"),
            ("`a b`", 6, 8, "`a b`"),
        ] {
            assert_eq!(wrap_words(text, taken, columns), lines, "{text:?}");
        }
    }

    #[test]
    fn low_ranks_are_cut_before_high_ones() {
        use Rank::{High, Low, Normal};
        for (natural, ranks, room, widths) in [
            (vec![5, 10], vec![Normal, Normal], 20, vec![5, 10]),
            (vec![5, 30], vec![Normal, Normal], 20, vec![5, 15]),
            (vec![30, 30], vec![Normal, Normal], 20, vec![10, 10]),
            (
                vec![12, 30, 30],
                vec![High, Normal, Normal],
                26,
                vec![12, 7, 7],
            ),
            (vec![36, 30], vec![Low, Normal], 40, vec![10, 30]),
            (vec![36, 30], vec![Low, Normal], 30, vec![6, 24]),
            (vec![20, 30], vec![High, Normal], 16, vec![10, 6]),
            (vec![30, 30], vec![High, Normal], 8, vec![4, 4]),
            (vec![30, 30], vec![High, Normal], 0, vec![1, 1]),
        ] {
            assert_eq!(
                fit(&natural, &ranks, &vec![LEAST; natural.len()], room),
                widths,
                "{natural:?} {ranks:?} {room}"
            );
        }
    }

    #[test]
    fn a_heading_is_cut_after_all_that_is_under_it() {
        use Rank::{High, Normal};
        let ranks = [High, Normal, Normal];
        assert_eq!(fit(&[12, 30, 30], &ranks, &[12, 6, 10], 30), [12, 8, 10]);
        assert_eq!(fit(&[12, 30, 30], &ranks, &[12, 6, 10], 20), [7, 6, 7]);
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
        fn p29_words_lose_nothing_but_a_blank_at_a_break(text in "[ab`é漢 ]{0,60}", columns in 2usize..20) {
            let wrapped = wrap_words(&text, 0, columns);
            let solid = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(solid(&wrapped), solid(&text));
            let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
            if text.matches('`').count() % 2 == 0 {
                prop_assert_eq!(quoted(&wrapped), quoted(&text));
            }
        }

        #[test]
        fn p29_wrapped_lines_fit_and_lose_only_blanks(text in ".{0,60}", columns in 2usize..20) {
            let lines = wrap(&text, columns);
            // A grapheme is never split, even if it is wider than the line: some have three columns.
            let fits = |line: &String| of(line) <= columns || line.graphemes(true).count() == 1;
            prop_assert!(lines.iter().all(fits), "{:?}", lines);
            let solid = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(solid(&lines.concat()), solid(&text));
        }

        #[test]
        fn columns_fit_where_they_can(
            natural in prop::collection::vec(1usize..60, 1..10),
            ranks in prop::collection::vec(prop_oneof![Just(Rank::Low), Just(Rank::Normal), Just(Rank::High)], 10),
            room in 10usize..200,
        ) {
            let least = vec![LEAST; natural.len()];
            let widths = fit(&natural, &ranks[..natural.len()], &least, room);
            prop_assert!(widths.iter().sum::<usize>() <= room);
            prop_assert!(widths.iter().zip(&natural).all(|(fitted, natural)| fitted <= natural));
        }
    }
}
