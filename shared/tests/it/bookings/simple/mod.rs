//! The booking domain without a database: a few maps, one call at a time, and a clock that moves only on request.

use std::collections::{BTreeMap, BTreeSet};

use boxoffice_shared::{
    bookings::{BookRequest, BookingId, BookingStatus, FailureReason},
    shows::ShowId,
};

/// The predictable part of a call's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Booking { id: BookingId, status: BookingStatus, again: bool },
    ShowNotFound,
    BookingNotFound,
    SoldOut(i64),
    ShowStarted,
    TooManySeats(i32),
    KeyReused,
    Expired,
    Cancelled,
    Confirmed,
}

/// The outcome for a booking in a batch of messages. `NotDue` has the remaining time in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    Expired,
    NotDue(i32),
    Ended,
    Unknown,
}

struct Booking {
    wish: BookRequest,
    status: BookingStatus,
    /// Seconds until the hold ends: it is over at 0 or less.
    left: i32,
}

#[derive(Default)]
pub(crate) struct Model {
    forgets_released_seats: bool,
    /// Each show's total seats, and whether it has started.
    shows: BTreeMap<ShowId, (i64, bool)>,
    bookings: BTreeMap<BookingId, Booking>,
}

/// The maximum of seats per booking in `common::show`.
const MAX_SEATS: i32 = 100;

impl Model {
    /// A deliberately wrong model: it does not release the seats of a cancelled hold.
    pub(crate) fn forgetful() -> Self {
        Self { forgets_released_seats: true, ..Self::default() }
    }

    pub(crate) fn add_show(&mut self, show: ShowId, seats: i64) {
        self.shows.insert(show, (seats, false));
    }

    pub(crate) fn set_started(&mut self, show: ShowId, started: bool) {
        self.shows.get_mut(&show).unwrap().1 = started;
    }

    pub(crate) fn jump(&mut self, seconds: i32) {
        for booking in self.bookings.values_mut() {
            booking.left -= seconds;
        }
    }

    pub(crate) fn available(&self, show: ShowId) -> i64 {
        let taken = self
            .bookings
            .values()
            .filter(|booking| booking.wish.id.show_id() == show && (booking.has_seats() || self.forgets(booking)));
        self.shows[&show].0 - taken.map(|booking| i64::from(booking.wish.seats.get())).sum::<i64>()
    }

    fn forgets(&self, booking: &Booking) -> bool {
        self.forgets_released_seats && booking.status == BookingStatus::Failed(FailureReason::Cancelled)
    }

    pub(crate) fn bookings(&self) -> impl Iterator<Item = (BookingId, BookingStatus)> {
        self.bookings.iter().map(|(id, booking)| (*id, booking.status))
    }

    pub(crate) fn book(&mut self, wish: &BookRequest) -> Answer {
        let show = wish.id.show_id();
        let Some((_, started)) = self.shows.get(&show) else { return Answer::ShowNotFound };
        if let Some(earlier) = self.earlier(wish) {
            let same = earlier.wish.seats.get() == wish.seats.get()
                && earlier.wish.user_name.as_str() == wish.user_name.as_str();
            let id = earlier.wish.id;
            return if same {
                Answer::Booking { id, status: earlier.status, again: id != wish.id }
            } else {
                Answer::KeyReused
            };
        }
        let available = self.available(show);
        if *started {
            Answer::ShowStarted
        } else if wish.seats.get() > MAX_SEATS {
            Answer::TooManySeats(MAX_SEATS)
        } else if available < i64::from(wish.seats.get()) {
            Answer::SoldOut(available)
        } else {
            let left = i32::from(wish.hold.seconds());
            self.bookings.insert(wish.id, Booking { wish: wish.clone(), status: BookingStatus::Pending, left });
            Answer::Booking { id: wish.id, status: BookingStatus::Pending, again: false }
        }
    }

    pub(crate) fn confirm(&mut self, id: BookingId) -> Answer {
        let Some(booking) = self.bookings.get_mut(&id) else { return Answer::BookingNotFound };
        match booking.status {
            BookingStatus::Pending if booking.left > 0 => booking.settle(BookingStatus::Confirmed),
            BookingStatus::Confirmed => Answer::Booking { id, status: booking.status, again: true },
            BookingStatus::Pending | BookingStatus::Failed(FailureReason::Expired) => Answer::Expired,
            BookingStatus::Failed(FailureReason::Cancelled) => Answer::Cancelled,
            // Only a refund leads here, and the model has no payments.
            BookingStatus::Failed(FailureReason::Refunded) => unreachable!(),
        }
    }

    pub(crate) fn cancel(&mut self, id: BookingId) -> Answer {
        let Some(booking) = self.bookings.get_mut(&id) else { return Answer::BookingNotFound };
        let cancelled = BookingStatus::Failed(FailureReason::Cancelled);
        match booking.status {
            BookingStatus::Pending if booking.left > 0 => booking.settle(cancelled),
            BookingStatus::Confirmed => Answer::Confirmed,
            BookingStatus::Pending | BookingStatus::Failed(FailureReason::Expired) => Answer::Expired,
            BookingStatus::Failed(FailureReason::Cancelled) => Answer::Booking { id, status: cancelled, again: true },
            BookingStatus::Failed(FailureReason::Refunded) => unreachable!(),
        }
    }

    pub(crate) fn expire(&mut self, ids: &BTreeSet<BookingId>) -> BTreeMap<BookingId, Expiry> {
        ids.iter().map(|id| (*id, self.bookings.get_mut(id).map_or(Expiry::Unknown, Booking::expire))).collect()
    }

    pub(crate) fn sweep(&mut self) -> u64 {
        self.bookings.values_mut().map(|booking| u64::from(booking.expire() == Expiry::Expired)).sum()
    }

    /// Finds an earlier booking with the same id, or with the same key at the same show.
    fn earlier(&self, wish: &BookRequest) -> Option<&Booking> {
        let key = wish.idempotency_key.as_ref().map(|key| key.as_str());
        let same_key = |booking: &&Booking| {
            key.is_some()
                && booking.wish.id.show_id() == wish.id.show_id()
                && booking.wish.idempotency_key.as_ref().map(|key| key.as_str()) == key
        };
        self.bookings.get(&wish.id).or_else(|| self.bookings.values().find(same_key))
    }
}

impl Booking {
    fn has_seats(&self) -> bool {
        matches!(self.status, BookingStatus::Pending | BookingStatus::Confirmed)
    }

    fn settle(&mut self, status: BookingStatus) -> Answer {
        self.status = status;
        Answer::Booking { id: self.wish.id, status, again: false }
    }

    fn expire(&mut self) -> Expiry {
        match self.status {
            BookingStatus::Pending if self.left > 0 => Expiry::NotDue(self.left),
            BookingStatus::Pending => {
                self.settle(BookingStatus::Failed(FailureReason::Expired));
                Expiry::Expired
            }
            BookingStatus::Confirmed | BookingStatus::Failed(_) => Expiry::Ended,
        }
    }
}
