//! Items in the compact form that AWS and the engines write, `{"pk":{"S":"text"},"n":{"N":"1"}}`, read as slices of
//! the page.
//!
//! It has no white space, and each value is an object with one member, whose name is the type. Anything that is not
//! in this form, such as a string with escapes, a list or a space, is read by serde_json: only the value if possible,
//! else the whole item.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::Error as _;
use serde_json::{Deserializer, Error};

use super::{ItemView, Value};

/// A position in a page.
#[derive(Debug)]
pub(super) struct Cursor<'p> {
    json: &'p str,
    at: usize,
}

impl<'p> Cursor<'p> {
    /// Returns a cursor at the start.
    pub(super) fn new(json: &'p str) -> Self {
        Self { json, at: 0 }
    }

    fn rest(&self) -> &'p [u8] {
        &self.json.as_bytes()[self.at..]
    }

    /// Skips white space.
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.rest().first() {
            self.at += 1;
        }
    }

    /// Skips white space, then a mark if it is next. Returns whether it was.
    fn takes(&mut self, mark: u8) -> bool {
        self.space();
        let there = self.rest().first() == Some(&mark);
        self.at += usize::from(there);
        there
    }

    /// Skips a mark and the white space before it.
    pub(super) fn mark(&mut self, mark: u8) -> Result<(), Error> {
        match self.takes(mark) {
            true => Ok(()),
            false => Err(Error::custom(format!(
                "expected `{}` at byte {}",
                char::from(mark),
                self.at
            ))),
        }
    }

    /// Reads a comma-separated list in brackets.
    ///
    /// # Errors
    ///
    /// The first error of `each`, or a missing bracket or comma.
    pub(super) fn within(
        &mut self,
        brackets: &str,
        mut each: impl FnMut(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let [open, close] = brackets.as_bytes() else {
            return Err(Error::custom("brackets are two"));
        };
        self.mark(*open)?;
        if self.takes(*close) {
            return Ok(());
        }
        loop {
            each(self)?;
            if !self.takes(b',') {
                return self.mark(*close);
            }
        }
    }

    /// Checks that only white space is left.
    pub(super) fn end(&mut self, what: &str) -> Result<(), Error> {
        self.space();
        match self.rest() {
            [] => Ok(()),
            _ => Err(Error::custom(format!(
                "more than {what}, at byte {}",
                self.at
            ))),
        }
    }

    /// Reads a value of any form.
    pub(super) fn value<T: Deserialize<'p>>(&mut self) -> Result<T, Error> {
        let mut values = Deserializer::from_str(&self.json[self.at..]).into_iter();
        let none = || Err(Error::custom("the page ends where a value is expected"));
        let value = values.next().unwrap_or_else(none)?;
        self.at += values.byte_offset();
        Ok(value)
    }

    /// Skips these bytes if they are next.
    fn exactly(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest()
            .starts_with(bytes)
            .then(|| self.at += bytes.len())
    }

    /// Reads a string without escapes, after its first quote, and skips the last one.
    fn plain(&mut self) -> Option<&'p str> {
        let from = self.at;
        let to = from + clean(self.rest());
        if self.json.as_bytes().get(to) != Some(&b'"') {
            return None;
        }
        self.at = to + 1;
        self.json.get(from..to)
    }

    /// Reads a string, after its first quote, and skips the last one.
    fn text(&mut self) -> Option<Cow<'p, str>> {
        let from = self.at;
        if let Some(plain) = self.plain() {
            return Some(Cow::Borrowed(plain));
        }
        self.at = from - 1;
        let Text(text) = self.value().ok()?;
        Some(text)
    }

    /// Reads a single item.
    pub(super) fn item(&mut self) -> Result<ItemView<'p>, Error> {
        self.space();
        let start = self.at;
        match Form::of_next(self) {
            Some(form) => Ok(form.item),
            None => {
                self.at = start;
                self.value()
            }
        }
    }
}

/// A string, borrowed if it has no escapes in JSON.
#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// How a value is read.
#[derive(Debug, Clone, Copy)]
enum Reading {
    /// The text of a string.
    S,
    /// The text of a number.
    N,
    /// A value of any type, with its type.
    Any,
}

impl Reading {
    /// Determines how the next value is read, and skips its type if only the text is read.
    fn of_next(page: &mut Cursor<'_>) -> Self {
        if page.exactly(br#"{"S":""#).is_some() {
            Self::S
        } else if page.exactly(br#"{"N":""#).is_some() {
            Self::N
        } else {
            Self::Any
        }
    }

    fn value<'p>(self, page: &mut Cursor<'p>) -> Option<Value<'p>> {
        Some(match self {
            Self::S => Value::S(page.text()?),
            Self::N => Value::number(page.text()?),
            Self::Any => page.value().ok()?,
        })
    }
}

/// What items of one shape have in common: everything but the values. A service writes them in one order, or in a few.
/// So most items are read by comparing the text between the values with that of an earlier item: names are not
/// read, and nothing is sorted.
#[derive(Debug)]
struct Form<'p> {
    /// The text before each value, in the order of the page: `{"pk":{"S":"`, then `},"likes":{"N":"`.
    before: Vec<&'p str>,
    /// How each value is read, and its position in our order.
    values: Vec<(Reading, usize)>,
    /// The text after the last value.
    after: &'p str,
    /// The item that was read last. The next one has the same names.
    item: ItemView<'p>,
}

impl<'p> Form<'p> {
    /// Reads the next item and its form. Returns `None` if it is not in compact form, or has a name twice.
    fn of_next(page: &mut Cursor<'p>) -> Option<Self> {
        let (mut before, mut readings, mut attributes) = (Vec::new(), Vec::new(), Vec::new());
        let mut from = page.at;
        page.exactly(b"{")?;
        loop {
            page.exactly(b"\"")?;
            let name = page.plain()?;
            page.exactly(b":")?;
            let reading = Reading::of_next(page);
            before.push(&page.json[from..page.at]);
            readings.push((reading, name));
            attributes.push((Cow::Borrowed(name), reading.value(page)?));
            from = page.at;
            if !matches!(reading, Reading::Any) {
                page.exactly(b"}")?;
            }
            if page.exactly(b",").is_none() {
                page.exactly(b"}")?;
                break;
            }
        }
        let item: ItemView<'_> = attributes.into_iter().collect();
        let place =
            |(reading, name)| Some((reading, item.iter().position(|(own, _)| own == name)?));
        let values = readings
            .into_iter()
            .map(place)
            .collect::<Option<Vec<_>>>()?;
        (item.len() == values.len()).then_some(Self {
            before,
            values,
            after: &page.json[from..page.at],
            item,
        })
    }

    /// Reads the next item if it has this form.
    fn read(&mut self, page: &mut Cursor<'p>) -> Option<()> {
        for (before, (reading, place)) in self.before.iter().zip(&self.values) {
            page.exactly(before.as_bytes())?;
            *self.item.value_mut(*place)? = reading.value(page)?;
        }
        page.exactly(self.after.as_bytes())
    }
}

/// The items of a page.
#[derive(Debug, Default)]
pub(super) struct Items<'p> {
    /// The known forms. The form of the last item is first.
    forms: Vec<Form<'p>>,
    /// An item without a form.
    odd: ItemView<'p>,
}

impl<'p> Items<'p> {
    /// The most forms that are kept. A table has messages and rows, each in one or two orders, and a few items of
    /// other shapes.
    const MOST: usize = 8;

    /// Reads the next item.
    pub(super) fn next(&mut self, page: &mut Cursor<'p>) -> Result<&ItemView<'p>, Error> {
        let start = page.at;
        let known = self.forms.iter_mut().position(|form| {
            page.at = start;
            form.read(page).is_some()
        });
        if let Some(known) = known {
            self.forms.swap(0, known);
            return Ok(&self.forms[0].item);
        }
        page.at = start;
        match Form::of_next(page) {
            Some(form) => {
                self.forms.truncate(Self::MOST - 1);
                self.forms.insert(0, form);
                Ok(&self.forms[0].item)
            }
            None => {
                page.at = start;
                self.odd = page.value()?;
                Ok(&self.odd)
            }
        }
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;

/// Counts the bytes before the first quote, backslash or control character: the part of a string without escapes.
/// Checks eight bytes at a time. In `found`, the top bit of a byte is set if it is one of these; only the first such
/// bit is reliable.
fn clean(bytes: &[u8]) -> usize {
    let (eights, rest) = bytes.as_chunks::<8>();
    let zero = |word: u64| word.wrapping_sub(EACH) & !word;
    for (index, eight) in eights.iter().enumerate() {
        let word = u64::from_le_bytes(*eight);
        let quote = zero(word ^ (EACH * u64::from(b'"')));
        let backslash = zero(word ^ (EACH * u64::from(b'\\')));
        let control = word.wrapping_sub(EACH * 0x20) & !word;
        let found = (quote | backslash | control) & (EACH << 7);
        if found != 0 {
            return index * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let odd = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
    bytes.len() - rest.len() + rest.iter().position(odd).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_clean_is_what_no_byte_ends(bytes in prop::collection::vec(
            prop_oneof![8 => 0x20u8..0x7f, 1 => any::<u8>()], 0..40
        )) {
            let odd = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
            let wanted = bytes.iter().position(odd).unwrap_or(bytes.len());
            prop_assert_eq!(clean(&bytes), wanted);
        }
    }

    #[test]
    fn each_byte_at_each_place() {
        for byte in 0..=u8::MAX {
            for place in 0..17 {
                for around in [b'a', 0x80, 0xff, b'!', b'#', b']'] {
                    let mut bytes = [around; 20];
                    bytes[place] = byte;
                    let odd = byte < 0x20 || byte == b'"' || byte == b'\\';
                    assert_eq!(
                        clean(&bytes),
                        if odd { place } else { 20 },
                        "{byte} {place}"
                    );
                }
            }
        }
    }
}
