//! The form in which services write the items of this store, read without a parser of JSON.
//!
//! Almost every item of a page is one object without white space, its attributes those that the store knows,
//! each once and each a string: `{"pk":{"S":"…"},"sk":{"S":"…"}}`. Such an item is read as slices of the page, in
//! one pass; the place of an attribute follows from its name, so that nothing is sorted. Whatever else comes,
//! `None` says so, and the reader of JSON takes that item.

use std::borrow::Cow;

use memchr::memchr2;

use super::{ItemView, Value};
use crate::schema::attribute;

/// The attributes that the store knows, in the order of [`ItemView`].
pub(super) const KNOWN: [&str; 8] = [
    attribute::PK,
    attribute::SK,
    attribute::MESSAGE,
    attribute::MESSAGE_GROUP_UUID,
    attribute::MESSAGE_UUID,
    attribute::USER_DISPLAY_NAME,
    attribute::USER_HANDLE,
    attribute::USER_UUID,
];

/// Where the list of items stands between its brackets, or would if it were read to its end: the first byte after
/// `[`. It is only found where what comes before it is compact, too: no white space, and no escapes.
pub(super) fn list_of_items(page: &str) -> Option<usize> {
    const LIST: &str = "\"Items\":[";
    let bytes = page.as_bytes();
    let (mut at, mut depth) = (0, 0_u32);
    loop {
        match bytes.get(at)? {
            b'"' if depth == 1
                && matches!(bytes[at - 1], b'{' | b',')
                && bytes[at..].starts_with(LIST.as_bytes()) =>
            {
                return Some(at + LIST.len());
            }
            b'"' => {
                let inside = at + 1;
                let end = memchr2(b'"', b'\\', &bytes[inside..])?;
                at = inside + end;
                if bytes[at] == b'\\' {
                    return None;
                }
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b' ' | b'\t' | b'\n' | b'\r' => return None,
            _ => {}
        }
        at += 1;
    }
}

/// Reads the item that begins at a place of a page. Returns the place after it.
pub(super) fn item<'a>(page: &'a str, begin: usize, view: &mut ItemView<'a>) -> Option<usize> {
    let mut values: [Option<Cow<'a, str>>; KNOWN.len()] = Default::default();
    let mut reader = Reader { page, at: begin };
    reader.takes(b"{")?;
    loop {
        let (name, value) = reader.attribute()?;
        let place = values.get_mut(known(name)?)?;
        if place.replace(value).is_some() {
            return None;
        }
        match reader.byte()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    let attributes = KNOWN.iter().zip(values);
    view.refill_in_order(
        attributes.filter_map(|(name, value)| Some((Cow::Borrowed(*name), Value::S(value?)))),
    );
    Some(reader.at)
}

/// Finds a name among those that are known.
fn known(name: &str) -> Option<usize> {
    // The lengths are all that has to be compared in most cases.
    KNOWN.iter().position(|known| *known == name)
}

struct Reader<'a> {
    page: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        self.page.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn takes(&mut self, mark: &[u8]) -> Option<()> {
        self.rest().starts_with(mark).then_some(())?;
        self.at += mark.len();
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = self.rest().first().copied()?;
        self.at += 1;
        Some(byte)
    }

    /// Reads `"name":{"S":"text"}`.
    fn attribute(&mut self) -> Option<(&'a str, Cow<'a, str>)> {
        self.takes(b"\"")?;
        let end = memchr2(b'"', b'\\', self.rest())?;
        let name = self.page.get(self.at..self.at + end)?;
        self.at += end;
        // A name with an escape ends here: none that is known has one.
        self.takes(b"\":{\"S\":\"")?;
        let text = self.text()?;
        self.takes(b"}")?;
        Some((name, text))
    }

    /// Reads the rest of a string, with the quote that ends it. It is borrowed where nothing in it is escaped.
    fn text(&mut self) -> Option<Cow<'a, str>> {
        let begin = self.at;
        let mut escapes = false;
        loop {
            self.at += memchr2(b'"', b'\\', self.rest())?;
            match self.byte()? {
                b'"' => break,
                _ => {
                    escapes = true;
                    // What is escaped, which may be a quote.
                    self.byte()?;
                }
            }
        }
        if escapes {
            let json = self.page.get(begin - 1..self.at)?;
            return serde_json::from_str(json).ok().map(Cow::Owned);
        }
        let text = self.page.get(begin..self.at - 1)?;
        // All bytes are looked at, so that the compiler can take many at once.
        let is_json = text.bytes().fold(true, |all, byte| all & (byte >= b' '));
        is_json.then_some(Cow::Borrowed(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_attributes_are_in_order() {
        let view: ItemView<'_> = KNOWN
            .iter()
            .rev()
            .map(|name| ((*name).into(), Value::Null))
            .collect();
        assert!(view.iter().map(|(name, _)| name).eq(KNOWN));
    }

    #[test]
    fn a_compact_item_is_read_to_its_end() {
        let page = r#"..{"sk":{"S":"é\"\n"},"pk":{"S":""},"message":{"S":"{\u0041\\"}},"#;
        let mut view = ItemView::default();
        assert_eq!(item(page, 2, &mut view), Some(page.len() - 1));
        let text = |text: &'static str| Value::S(text.into());
        let wanted = [("pk", ""), ("sk", "é\"\n"), ("message", "{A\\")];
        let wanted = wanted.map(|(name, value)| (name, text(value)));
        assert!(
            view.iter()
                .eq(wanted.iter().map(|(name, value)| (*name, value)))
        );
    }

    #[test]
    fn what_is_not_compact_is_left_to_the_reader_of_json() {
        for other in [
            "",
            "{",
            "{}",
            "[]",
            r#"{ "pk":{"S":"a"}}"#,
            r#"{"pk" :{"S":"a"}}"#,
            r#"{"pk":{"S": "a"}}"#,
            r#"{"pk":{"S":"a"} }"#,
            r#"{"pk":{"S":"a"}"#,
            r#"{"pk":{"S":"a"},}"#,
            r#"{"pk":{"S":"a"}]"#,
            r#"{"pk":{"S":"a","N":"1"}}"#,
            r#"{"pk":{"N":"1"}}"#,
            r#"{"pk":{"S":1}}"#,
            r#"{"likes":{"S":"a"}}"#,
            r#"{"\u0070k":{"S":"a"}}"#,
            r#"{"pk":{"S":"a"},"pk":{"S":"b"}}"#,
            r#"{"pk":{"S":"\ud800"}}"#,
            r#"{"pk":{"S":"\x"}}"#,
            r#"{"pk":{"S":"a\"#,
            r#"{"pk":{"S":"é"#,
            "{\"pk\":{\"S\":\"\u{1f}\"}}",
            "{\"pk\":{\"S\":\"\\n\u{1f}\"}}",
        ] {
            let mut view = ItemView::default();
            assert_eq!(item(other, 0, &mut view), None, "{other}");
            assert_eq!(view, ItemView::default(), "{other}");
        }
    }

    #[test]
    fn the_list_of_items_is_found_in_its_own_place_only() {
        let found = |page: &str| list_of_items(page).map(|at| page[at..].to_owned());
        for (page, rest) in [
            (r#"{"Items":[]}"#, "]}"),
            (
                r#"{"ConsumedCapacity":{"Items":[1],"CapacityUnits":128.5},"Count":1,"Items":[{}]}"#,
                "{}]}",
            ),
            (r#"{"a":"Items","b":",\"#, ""),
        ] {
            let wanted = (!rest.is_empty()).then(|| rest.to_owned());
            assert_eq!(found(page), wanted, "{page}");
        }
        for other in [
            "",
            "[",
            "]",
            r#"{"Items": []}"#,
            r#"{ "Items":[]}"#,
            r#"{"Items":null}"#,
            r#"{"a":"\"","Items":[]}"#,
            r#"{"a":"Items":[]}"#,
            r#"{"a":{"Items":[]}}"#,
            r#""Items":[]"#,
        ] {
            assert_eq!(found(other), None, "{other}");
        }
    }
}
