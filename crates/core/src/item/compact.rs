//! Items in the compact form that AWS and the engines write, read as slices of the page: `{"pk":{"S":"text"},"n":{"N":"1"}}`.
//!
//! There is no white space in it, and each value is an object with one member, whose name is the type. Whatever is not in
//! this form, such as a string with escapes, a list or a space, is read by serde_json from where it begins: a value alone
//! where possible, else its item.

use std::borrow::Cow;

use serde::de::{Deserialize, Error as _};
use serde_json::{Deserializer, Error};

use super::view::Orders;
use super::{ItemView, Value};

/// A place in a page.
#[derive(Debug)]
pub(super) struct Cursor<'p> {
    json: &'p str,
    at: usize,
}

impl<'p> Cursor<'p> {
    /// Begins at the start.
    pub(super) fn new(json: &'p str) -> Self {
        Self { json, at: 0 }
    }

    fn rest(&self) -> &'p [u8] {
        &self.json.as_bytes()[self.at..]
    }

    /// Passes over white space.
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.rest().first() {
            self.at += 1;
        }
    }

    /// Passes over a mark and the white space before it, where it comes next.
    fn takes(&mut self, mark: u8) -> bool {
        self.space();
        let there = self.rest().first() == Some(&mark);
        self.at += usize::from(there);
        there
    }

    /// Passes over a mark and the white space before it.
    ///
    /// # Errors
    ///
    /// Where something else comes.
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

    /// Reads what stands in brackets, with commas between.
    ///
    /// # Errors
    ///
    /// The first one of `each`, and where brackets or commas are missing.
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

    /// Expects nothing but white space.
    ///
    /// # Errors
    ///
    /// Where more comes.
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
    ///
    /// # Errors
    ///
    /// Where it is no such value.
    pub(super) fn value<T: Deserialize<'p>>(&mut self) -> Result<T, Error> {
        let mut values = Deserializer::from_str(&self.json[self.at..]).into_iter();
        let none = || Err(Error::custom("the page ends where a value is expected"));
        let value = values.next().unwrap_or_else(none)?;
        self.at += values.byte_offset();
        Ok(value)
    }

    /// Passes over these bytes.
    fn exactly(&mut self, bytes: &[u8]) -> Option<()> {
        self.rest()
            .starts_with(bytes)
            .then(|| self.at += bytes.len())
    }

    /// Reads a string without escapes, after its first quote; passes over the last one.
    fn plain(&mut self) -> Option<&'p str> {
        let from = self.at;
        let to = from + clean(self.rest());
        if self.json.as_bytes().get(to) != Some(&b'"') {
            return None;
        }
        self.at = to + 1;
        self.json.get(from..to)
    }

    /// Reads an attribute and what ends it.
    fn attribute(&mut self) -> Option<(Cow<'p, str>, Value<'p>)> {
        self.exactly(b"\"")?;
        let name = Cow::Borrowed(self.plain()?);
        self.exactly(b":")?;
        let start = self.at;
        let value = match self.rest() {
            [b'{', b'"', kind @ (b'S' | b'N'), b'"', b':', b'"', ..] => {
                self.at += 6;
                self.plain().and_then(|text| {
                    self.exactly(b"}")?;
                    Some(match kind {
                        b'S' => Value::S(text.into()),
                        _ => Value::number(text.into()),
                    })
                })
            }
            _ => None,
        };
        let value = match value {
            Some(value) => value,
            None => {
                self.at = start;
                self.value().ok()?
            }
        };
        Some((name, value))
    }

    /// Reads the attributes of an item that is in the compact form.
    fn attributes(&mut self, attributes: &mut Vec<(Cow<'p, str>, Value<'p>)>) -> Option<()> {
        self.exactly(b"{")?;
        loop {
            attributes.push(self.attribute()?);
            if self.exactly(b",").is_none() {
                return self.exactly(b"}");
            }
        }
    }

    /// Reads one item alone.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub(super) fn item(&mut self) -> Result<ItemView<'p>, Error> {
        self.space();
        let start = self.at;
        let mut attributes = Vec::new();
        match self.attributes(&mut attributes) {
            Some(()) => Ok(attributes.into_iter().collect()),
            None => {
                self.at = start;
                self.value()
            }
        }
    }
}

/// The items of a page.
#[derive(Debug, Default)]
pub(super) struct Items<'p> {
    /// One view for all of them: its room is used again.
    view: ItemView<'p>,
    orders: Orders<'p>,
}

impl<'p> Items<'p> {
    /// Reads the next item.
    ///
    /// # Errors
    ///
    /// Where it is none.
    pub(super) fn next(&mut self, page: &mut Cursor<'p>) -> Result<&ItemView<'p>, Error> {
        let start = page.at;
        let read = self
            .view
            .refill(&mut self.orders, |attributes| page.attributes(attributes));
        if read.is_none() {
            page.at = start;
            self.view = page.value()?;
        }
        Ok(&self.view)
    }
}

const EACH: u64 = 0x0101_0101_0101_0101;

/// Counts the bytes before the first quote, backslash or control character: what stands in a string as it is. Eight
/// bytes at a time: the top bit of a byte is set where it is one of these, for the first of them at least.
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
