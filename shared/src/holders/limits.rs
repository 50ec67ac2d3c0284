//! Limits on what one holder may have of a show.

use super::{Holder, holder::Kind};
use crate::platform::config::{Reader, Source};

/// The deployment's limits on one holder of a show. A show's own limits override them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HolderLimits {
    /// Maximum number of unpaid seats held at a time, 1 to 1,000,000.
    pub max_pending_seats: i32,
    /// Maximum number of seats in total, held and sold, 1 to 1,000,000.
    pub max_seats: i32,
    /// Number of holds within an hour that may end unpaid before the holder must wait, 0 to 15.
    pub max_unpaid_holds: i32,
    /// Factor by which an address may exceed all limits, 1 to 1,000. An address may be shared by an office or a whole
    /// carrier.
    pub address_allowance: i32,
    /// Factor by which an API key may exceed all limits, 1 to 1,000. A partner books for many customers.
    pub partner_allowance: i32,
}

impl HolderLimits {
    /// 10 unpaid seats, as many as one booking may have, and 20 in total; 5 holds within an hour may end unpaid. An
    /// address counts as one holder, a partner as 100.
    pub const DEFAULT: Self = Self {
        max_pending_seats: 10,
        max_seats: 20,
        max_unpaid_holds: 5,
        address_allowance: 1,
        partner_allowance: 100,
    };

    /// How many holders this one counts as.
    pub(crate) fn times(&self, holder: &Holder) -> i32 {
        match holder.kind {
            Kind::Subject => 1,
            Kind::ApiKey => self.partner_allowance,
            Kind::Address => self.address_allowance,
        }
    }
}

impl<S: Source> Reader<'_, S> {
    /// Reads `MAX_PENDING_SEATS_PER_HOLDER`, `MAX_SEATS_PER_HOLDER`, `MAX_UNPAID_HOLDS`, `ADDRESS_ALLOWANCE` and
    /// `PARTNER_ALLOWANCE`. They default to [`HolderLimits::DEFAULT`].
    pub fn holder_limits(&mut self) -> Option<HolderLimits> {
        let default = HolderLimits::DEFAULT;
        let pending = self.integer("MAX_PENDING_SEATS_PER_HOLDER", default.max_pending_seats, 1..=1_000_000);
        let in_all = self.integer("MAX_SEATS_PER_HOLDER", default.max_seats, 1..=1_000_000);
        let unpaid = self.integer("MAX_UNPAID_HOLDS", default.max_unpaid_holds, 0..=15);
        let address = self.integer("ADDRESS_ALLOWANCE", default.address_allowance, 1..=1_000);
        let partner = self.integer("PARTNER_ALLOWANCE", default.partner_allowance, 1..=1_000);
        Some(HolderLimits {
            max_pending_seats: pending?,
            max_seats: in_all?,
            max_unpaid_holds: unpaid?,
            address_allowance: address?,
            partner_allowance: partner?,
        })
    }
}
