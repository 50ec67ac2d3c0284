//! Sequences of calls that proptest generates and shrinks.
//!
//! A step names a show or a booking by an index into those that exist when it runs. So a sequence remains valid after
//! proptest removes other steps from it.

use proptest::{collection::vec, prelude::*, sample::Index};

/// A sequence of calls, and the shows that exist at its start.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Sends statements without names, as behind a pooler.
    pub(crate) unnamed: bool,
    /// The seats of each of the three shows.
    pub(crate) seats: [i64; 3],
    pub(crate) steps: Vec<Step>,
}

/// One call, or a change of the surroundings.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// `hold` in seconds.
    Book {
        show: Index,
        seats: i64,
        hold: i64,
        how: How,
    },
    Confirm(Which),
    Cancel(Which),
    /// Delivers a batch of messages.
    Expire(Vec<Which>),
    /// Delivers the last batch again.
    ExpireAgain,
    Sweep,
    SetPools {
        show: Index,
        pools: i64,
    },
    Later {
        seconds: i32,
    },
    SetStarted {
        show: Index,
        started: bool,
    },
}

/// The special feature of a booking request.
#[derive(Clone, Debug)]
pub(crate) enum How {
    Plain,
    /// With one of a few keys, which therefore repeat, with the same body and with another one.
    WithKey(u8),
    /// An earlier request with the same id, as after a lost answer.
    SameAttempt(Index),
    /// A client's retry: the key and body of an earlier request, with a new id.
    SameRequest(Index),
    TooManySeats,
    OtherName,
    UnknownShow,
}

/// The booking that a call is about.
#[derive(Clone, Debug)]
pub(crate) enum Which {
    Asked(Index),
    Unknown,
}

/// Generates sequences of up to `steps` calls.
pub(crate) fn case(steps: usize) -> impl Strategy<Value = Case> {
    let seats = [20_i64..60, 20_i64..60, 20_i64..60];
    (any::<bool>(), seats, vec(step(), 1..=steps)).prop_map(|(unnamed, seats, steps)| Case { unnamed, seats, steps })
}

fn step() -> impl Strategy<Value = Step> {
    // The clock jumps by whole hundreds of seconds, and holds last 50 s longer than a multiple of 100 s. So no hold
    // ends close to a jump, and the duration of the test itself does not matter.
    let hold = (0_i64..9).prop_map(|hundreds| hundreds * 100 + 50);
    prop_oneof![
        40 => (any::<Index>(), 1_i64..=12, hold, how())
            .prop_map(|(show, seats, hold, how)| Step::Book { show, seats, hold, how }),
        12 => which().prop_map(Step::Confirm),
        10 => which().prop_map(Step::Cancel),
        10 => vec(which(), 1..=10).prop_map(Step::Expire),
        5 => Just(Step::ExpireAgain),
        7 => Just(Step::Sweep),
        3 => (any::<Index>(), 1_i64..12).prop_map(|(show, pools)| Step::SetPools { show, pools }),
        11 => (1..4).prop_map(|hundreds| Step::Later { seconds: hundreds * 100 }),
        2 => (any::<Index>(), prop::bool::weighted(0.3))
            .prop_map(|(show, started)| Step::SetStarted { show, started }),
    ]
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        1 => Just(How::Plain),
        4 => (0_u8..25).prop_map(How::WithKey),
        1 => any::<Index>().prop_map(How::SameAttempt),
        1 => any::<Index>().prop_map(How::SameRequest),
        1 => Just(How::TooManySeats),
        1 => Just(How::OtherName),
        1 => Just(How::UnknownShow),
    ]
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![19 => any::<Index>().prop_map(Which::Asked), 1 => Just(Which::Unknown)]
}
