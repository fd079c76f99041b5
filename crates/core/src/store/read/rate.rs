//! Reading at a limited rate of read capacity units.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::rate_limit::Rate;

/// The maximum cost of a page of 1 MB: 4 KB a unit, strongly consistent. See "Read consistency" and
/// "Provisioned capacity mode" in the AWS developer guide.
const PAGE_UNITS: f64 = 256.0;

/// The error when the service does not report what a request cost.
#[derive(Debug, thiserror::Error)]
#[error("it does not say what capacity it used, so no rate can be kept")]
pub(super) struct Silent;

/// A limit on the pages of a scan or of queries, so that no page costs more than one second of the rate.
#[derive(Debug, Clone)]
pub(in crate::store) struct ReadRate {
    rate: Rate,
    /// The units that an item costs, according to the last page.
    price: Arc<Mutex<f64>>,
}

impl ReadRate {
    pub(in crate::store) fn new(rate: Rate, consistent: bool) -> Self {
        // Assume items of 4 KB until the first page shows the actual cost.
        let price = if consistent { 1.0 } else { 0.5 };
        Self {
            rate,
            price: Arc::new(Mutex::new(price)),
        }
    }

    fn price(&self) -> MutexGuard<'_, f64> {
        self.price.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a single item may be read. Returns the units that were reserved.
    pub(super) async fn begin_one(&self) -> f64 {
        let reserved = *self.price();
        self.rate.reserve(reserved).await;
        reserved
    }

    /// Waits until a page may be read. Returns the maximum number of items to request, and the units that were
    /// reserved.
    pub(super) async fn begin(&self, page_size: Option<u32>) -> (Option<u32>, f64) {
        let price = *self.price();
        let affordable = (self.rate.per_second() / price).clamp(1.0, f64::from(i32::MAX));
        // If a whole page costs no more than one second of the rate, the service decides where it ends, as usual.
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

    /// Corrects the reservation by what a page cost.
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
