//! Filters for messages: by time, sender, and text.

use crate::handle::Handle;
use crate::item::{Attributes, Kind};
use crate::schema::attribute;
use crate::timestamp::{TimeRange, Timestamp};

/// A text to search for, ignoring case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needle(String);

/// The error for an empty search text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to look for in an empty text; use a word such as cake")]
pub struct NothingToFind;

impl std::str::FromStr for Needle {
    type Err = NothingToFind;

    fn from_str(text: &str) -> Result<Self, NothingToFind> {
        match text {
            "" => Err(NothingToFind),
            text => Ok(Self(text.to_lowercase())),
        }
    }
}

impl Needle {
    /// Checks whether a text contains it.
    pub fn is_in(&self, text: &str) -> bool {
        text.to_lowercase().contains(&self.0)
    }
}

/// The conditions for wanted items. By default, every item is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// When they were created.
    pub range: TimeRange,
    /// A text that they contain.
    pub contains: Option<Needle>,
    /// Their sender; for a conversation row, the other person.
    pub by: Option<Handle>,
    /// Whether conversation rows and unknown items are left out.
    pub messages_only: bool,
}

/// A filter's verdict on an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is wanted.
    Kept,
    /// It is not wanted.
    LeftOut,
    /// It might be wanted, but its sort key is not a time.
    Undated,
}

impl Filter {
    /// Makes a filter for all items in a time range.
    pub fn of_time(range: TimeRange) -> Self {
        Self {
            range,
            ..Self::default()
        }
    }

    /// Checks whether everything is wanted.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Judges an item by its attributes.
    pub fn judge(&self, item: &impl Attributes) -> Verdict {
        let text = |name: &str| item.text(name).and_then(Result::ok).unwrap_or_default();
        let found = |needle: &Needle| needle.is_in(text(attribute::MESSAGE));
        let by = |handle: &Handle| handle.is(text(attribute::USER_HANDLE));
        if !self.contains.as_ref().is_none_or(found) || !self.by.as_ref().is_none_or(by) {
            return Verdict::LeftOut;
        }
        if !self.range.is_everything() {
            match text(attribute::SK).parse::<Timestamp>() {
                Ok(time) if self.range.contains(time) => {}
                Ok(_) => return Verdict::LeftOut,
                Err(_) => return Verdict::Undated,
            }
        }
        // Checked last: finding the shape costs more, and most items are not wanted.
        if self.messages_only && Kind::of(item) != Kind::Message {
            return Verdict::LeftOut;
        }
        Verdict::Kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::RawItem;
    use crate::sample;

    const AT: &str = "2026-03-22T08:35:09.123456+00:00";

    fn contains(text: &str) -> Filter {
        Filter {
            contains: Some(text.parse().unwrap()),
            messages_only: true,
            ..Filter::default()
        }
    }

    #[test]
    fn a_text_is_found_in_any_case() {
        let message = RawItem::from(&sample::message(AT, "Mehr Äpfel und CAKE"));
        for (text, verdict) in [
            ("cake", Verdict::Kept),
            ("äpfel", Verdict::Kept),
            ("UND c", Verdict::Kept),
            ("cakes", Verdict::LeftOut),
        ] {
            assert_eq!(contains(text).judge(&message), verdict, "{text}");
        }
        assert!("".parse::<Needle>().is_err());
    }

    #[test]
    fn a_sender_and_a_time_are_conditions_as_well() {
        let message = RawItem::from(&sample::message(AT, "cake"));
        let filter = |by: &str, since: &str| Filter {
            range: TimeRange {
                since: Some(since.parse().unwrap()),
                until: None,
            },
            by: Some(by.parse().unwrap()),
            ..contains("cake")
        };
        let judge = |by, since| filter(by, since).judge(&message);
        assert_eq!(judge("@AndrewBrown", AT), Verdict::Kept);
        assert_eq!(judge("bayko", AT), Verdict::LeftOut);
        assert_eq!(
            judge("andrewbrown", "2026-03-23T00:00:00Z"),
            Verdict::LeftOut
        );
        let undated = RawItem::from(&sample::message("soon", "cake"));
        assert_eq!(filter("andrewbrown", AT).judge(&undated), Verdict::Undated);
        assert_eq!(filter("bayko", AT).judge(&undated), Verdict::LeftOut);
    }

    #[test]
    fn rows_and_unknown_items_are_left_out_where_messages_are_wanted() {
        let mut unknown = RawItem::from(&sample::message(AT, "cake"));
        unknown.remove(attribute::USER_UUID);
        let row = RawItem::from(&sample::conversation_row(AT, "cake"));
        for item in [row, unknown] {
            assert_eq!(contains("cake").judge(&item), Verdict::LeftOut);
            let any = Filter {
                messages_only: false,
                ..contains("cake")
            };
            assert_eq!(any.judge(&item), Verdict::Kept);
            assert_eq!(Filter::default().judge(&item), Verdict::Kept);
        }
    }
}
