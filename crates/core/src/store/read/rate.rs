//! Reading that keeps to a rate of read capacity units.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rate_limit::Rate;

/// What a page of 1 MB costs at the most: 4 KB a unit, read consistently. See "Read consistency" and
/// "Provisioned capacity mode" in the AWS developer guide.
const PAGE_UNITS: f64 = 256.0;

/// The service did not say what a request cost.
#[derive(Debug, thiserror::Error)]
#[error("it does not say what capacity it used, so no rate can be kept")]
pub(super) struct Silent;

/// Bounds the pages of a scan or of queries so that none costs more than a second of the rate.
#[derive(Debug, Clone)]
pub(in crate::store) struct ReadRate {
    rate: Rate,
    /// Units an item, by the last page.
    price: Arc<Mutex<f64>>,
}

impl ReadRate {
    pub(in crate::store) fn new(rate: Rate, consistent: bool) -> Self {
        // An item of 4 KB, until the first page says better.
        let price = if consistent { 1.0 } else { 0.5 };
        Self {
            rate,
            price: Arc::new(Mutex::new(price)),
        }
    }

    fn price(&self) -> MutexGuard<'_, f64> {
        self.price.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of a single item; returns what was reserved.
    pub(super) async fn begin_one(&self) -> f64 {
        let reserved = *self.price();
        self.rate.reserve(reserved).await;
        reserved
    }

    /// Waits for a page's turn; returns how many items to ask for at the most, and what was reserved.
    pub(super) async fn begin(&self, page_size: Option<u32>) -> (Option<u32>, f64) {
        let price = *self.price();
        let affordable = (self.rate.per_second() / price).clamp(1.0, f64::from(i32::MAX));
        // Where a whole page is no more than a second of the rate, the service may cut it as ever.
        let bound = (self.rate.per_second() < PAGE_UNITS).then_some(affordable as u32);
        let page_size = match (page_size, bound) {
            (Some(wanted), Some(bound)) => Some(wanted.min(bound)),
            (wanted, bound) => wanted.or(bound),
        };
        let items = page_size.map_or(f64::INFINITY, f64::from);
        let reserved = (items * price).min(PAGE_UNITS);
        self.rate.reserve(reserved).await;
        (page_size, reserved)
    }

    /// Settles what a page cost.
    pub(super) fn end(
        &self,
        reserved: f64,
        scanned: u64,
        consumed: Option<f64>,
    ) -> Result<(), Silent> {
        let used = consumed.ok_or(Silent)?;
        self.rate.settle(reserved, used);
        if scanned > 0 && used > 0.0 {
            *self.price() = used / scanned as f64;
        }
        Ok(())
    }
}
