//! Checks that hold for any bytes that a server might send. The fuzz targets in `src/bin` look for bytes that break
//! them, and the property tests of core generate some.

use std::borrow::Cow;
use std::fmt;

use ddb_core::item::{ItemView, Kind, PageMeta, RawItem, read_item, read_page};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// What serde_json alone reads from a page.
#[derive(Debug, Default, PartialEq)]
struct Plain {
    items: Vec<RawItem>,
    meta: PageMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Capacity {
    capacity_units: Option<f64>,
}

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Plain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a page")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain, A::Error> {
                let mut page = Plain::default();
                while let Some(name) = map.next_key::<Cow<'_, str>>()? {
                    match name.as_ref() {
                        "Items" => {
                            let items: Vec<ItemView<'_>> = map.next_value()?;
                            page.items.extend(items.iter().map(ItemView::to_raw));
                        }
                        "Count" => page.meta.count = map.next_value()?,
                        "ScannedCount" => page.meta.scanned = map.next_value()?,
                        "ConsumedCapacity" => {
                            let capacity: Option<Capacity> = map.next_value()?;
                            page.meta.consumed = capacity.and_then(|used| used.capacity_units);
                        }
                        "LastEvaluatedKey" => {
                            let key: Option<ItemView<'_>> = map.next_value()?;
                            page.meta.last = key.map(|key| key.to_raw());
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(page)
            }
        }

        json.deserialize_map(Members)
    }
}

/// Reads a page, and the same bytes as one item.
///
/// # Panics
///
/// If the compact reader does not read what serde_json reads, or does not refuse what serde_json refuses.
pub fn read_as_any_json(body: &[u8]) {
    let mut items = Vec::new();
    let own = read_page(body, |item| {
        let _ = (Kind::of(item), item.size());
        items.push(item.to_raw());
    });
    let own = own.map(|meta| Plain { items, meta });
    let text = std::str::from_utf8(body).ok();
    let plain = text.and_then(|text| serde_json::from_str::<Plain>(text).ok());
    assert_eq!(own.ok(), plain, "{}", String::from_utf8_lossy(body));
    let _ = text.map(read_item);
}
