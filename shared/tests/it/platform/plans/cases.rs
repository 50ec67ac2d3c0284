//! Every statement of the operations, with parameter values.

/// A statement as an operation sends it, with parameter values.
pub(super) struct Case {
    /// The files that form the statement, under `shared/src`.
    pub(super) files: &'static [&'static str],
    /// The types of `$1`, `$2` and so on.
    pub(super) types: &'static str,
    /// The parameter values. They select a few rows of `data::NEEDED`.
    pub(super) values: &'static str,
}

const fn case(files: &'static [&'static str], types: &'static str, values: &'static str) -> Case {
    Case { files, types, values }
}

/// Booking ids: a running hold, a hold that is over, an expired booking, a new booking, and an id before all others.
macro_rules! id {
    (held) => {
        "'00000000-0000-7000-8000-00000000000a'"
    };
    (due) => {
        "'00000000-0000-7000-8000-0000000000d1'"
    };
    (expired) => {
        "'00000000-0000-7000-8000-0000000000f1'"
    };
    (new) => {
        "'00000000-0000-7000-8000-00000000000e'"
    };
    (nil) => {
        "'00000000-0000-0000-0000-000000000000'"
    };
}

const BOOKING_TYPES: &str =
    "bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer";
const BOOKING: &str = concat!("1, ", id!(new), ", 'Ada', 1, 120, 'key', 'sub:ada', 100, 100, 5, 1");

const RECORD_TYPES: &str = "text, text, text, text, bigint, uuid, timestamptz, text, bigint, text, text, text, integer, integer, \
    integer, bigint[], text, text";
const REPLAY_TYPES: &str = "text, text, text, text, bigint, uuid, timestamptz, text, bigint, text, text, text, integer, integer, integer, bigint[], \
    text";

/// Every statement file appears in at least one case.
pub(super) const CASES: &[Case] = &[
    case(&["bookings/book/own_pool.sql"], BOOKING_TYPES, BOOKING),
    // A holder without bookings.
    case(
        &["bookings/book/own_pool.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Eve', 1, 120, NULL, 'sub:eve', 10, 10, 5, 1"),
    ),
    case(
        &["bookings/book/any_pool.sql"],
        "bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer, double precision",
        concat!("1, ", id!(new), ", 'Ada', 1, 120, 'key', 'sub:ada', 100, 100, 5, 1, 0.5"),
    ),
    case(&["bookings/book/all_pools.sql"], BOOKING_TYPES, BOOKING),
    case(&["bookings/book/refusal.sql", "bookings/answer.sql"], BOOKING_TYPES, BOOKING),
    case(
        &["bookings/book/unlocked_pool.sql"],
        "bigint, uuid, text, integer, double precision, text, text, integer, integer, integer, integer, double precision",
        concat!("1, ", id!(new), ", 'Ada', 1, 120, 'key', 'sub:ada', 100, 100, 5, 1, 0.5"),
    ),
    // A holder with many bookings, with room below its limits and without.
    case(
        &["bookings/book/own_pool.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Big', 1, 120, NULL, 'sub:big', 9999999, 9999999, 5, 1"),
    ),
    case(
        &["bookings/book/own_pool.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Big', 1, 120, NULL, 'sub:big', 10, 10, 5, 1"),
    ),
    case(
        &["bookings/book/refusal.sql", "bookings/answer.sql"],
        BOOKING_TYPES,
        concat!("1, ", id!(new), ", 'Big', 1, 120, NULL, 'sub:big', 10, 10, 5, 1"),
    ),
    case(&["bookings/book/lock_holder.sql"], "bigint, text, integer", "1, 'sub:ada', 1"),
    case(&["inventory/lock_pools.sql"], "bigint", "1"),
    case(&["bookings/confirm.sql", "bookings/answer.sql"], "bigint, uuid", concat!("1, ", id!(held))),
    case(
        &["bookings/cancel.sql", "inventory/release.sql", "bookings/cancel_answer.sql", "bookings/answer.sql"],
        "bigint, uuid, text",
        concat!("1, ", id!(held), ", 'sub:ada'"),
    ),
    case(
        &["bookings/extend.sql", "bookings/answer.sql"],
        "bigint, uuid, double precision, double precision, text",
        concat!("1, ", id!(held), ", 900, 86400, 'sub:ada'"),
    ),
    case(
        &["bookings/expire.sql", "inventory/release.sql", "bookings/expire_answer.sql"],
        "bigint[], uuid[]",
        concat!("'{1,1}', ARRAY[", id!(held), ", ", id!(due), "]::uuid[]"),
    ),
    // Five holds are over.
    case(
        &["bookings/sweep.sql", "inventory/release.sql", "bookings/sweep_answer.sql"],
        "bigint, bigint[]",
        "1000, '{7}'",
    ),
    case(&["bookings/due.sql"], "bigint, bigint[]", "1000, '{7}'"),
    // With show 1 skipped, no hold is over.
    case(
        &["bookings/sweep.sql", "inventory/release.sql", "bookings/sweep_answer.sql"],
        "bigint, bigint[]",
        "1000, '{1}'",
    ),
    case(&["bookings/due.sql"], "bigint, bigint[]", "1000, '{1}'"),
    case(
        &["bookings/get.sql", "bookings/answer.sql"],
        "bigint, uuid, text, boolean",
        concat!("1, ", id!(held), ", 'sub:ada', false"),
    ),
    case(&["shows/get.sql"], "bigint", "1"),
    case(&["shows/list.sql"], "timestamptz, bigint, bigint", "'1970-01-01Z', 0, 4"),
    case(
        &["shows/create.sql"],
        "text, timestamptz, integer, integer, integer, bigint, text, integer, integer, bytea, bytea",
        "'New', now() + interval '1 day', 100, 4, 16, 500, 'EUR', NULL, NULL, sha256('new'), sha256('body')",
    ),
    case(&["shows/created.sql"], "bytea, bytea", "sha256('made'), sha256('body')"),
    case(&["shows/set_pools.sql"], "bigint, integer", "1, 20"),
    case(&["inventory/spread.sql"], "bigint, integer", "1, 8"),
    case(&["shows/set_holder_limits.sql"], "bigint, boolean, integer, boolean, integer", "1, true, 5, false, NULL"),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_new', 't', 'pi_new', 1, ",
            id!(held),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    // A late payment for a hold that is not yet expired.
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_new', 't', 'pi_new', 1, ",
            id!(due),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        "'stripe', 'evt_new', 't', 'pi_paid', NULL, NULL, now(), 'refunded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'",
    ),
    // A late payment for an expired booking: it takes seats again.
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_new', 't', 'pi_new', 1, ",
            id!(expired),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    // A repeated event.
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        concat!(
            "'stripe', 'evt_paid', 't', 'pi_paid', 1, ",
            id!(held),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL, '{}'"
        ),
    ),
    case(
        &["payments/replay.sql"],
        REPLAY_TYPES,
        concat!(
            "'stripe', 'evt_unread_1', 't', 'pi_new', 1, ",
            id!(held),
            ", now(), 'succeeded', 500, 'EUR', NULL, NULL, 20, 1, 100, NULL, NULL"
        ),
    ),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        "'stripe', 'evt_new', 't', 'pi_paid', NULL, NULL, now(), 'refund', 500, 'EUR', 're_1', 'failed', 20, 1, 100, NULL, NULL, '{}'",
    ),
    case(
        &["payments/record.sql"],
        RECORD_TYPES,
        "'stripe', 'evt_new', 't', 'pi_paid', NULL, NULL, now(), 'disputed', NULL, NULL, 'dp_1', 'lost', 20, 1, 100, NULL, NULL, '{}'",
    ),
    case(&["payments/decide_dispute.sql"], "text, text, text", "'stripe', 'pi_lost', 'cancel'"),
    case(&["payments/settle.sql"], "text, text", "'stripe', 'pi_due_1'"),
    case(&["payments/get_event.sql"], "text, text", "'stripe', 'evt_paid'"),
    case(&["payments/list_due.sql"], "timestamptz, text, text, bigint", "'1970-01-01Z', '', '', 4"),
    case(&["payments/list_disputed.sql"], "timestamptz, text, text, bigint", "'1970-01-01Z', '', '', 4"),
    case(&["payments/list.sql"], "text, timestamptz, text, text, bigint", "'confirmed', '1970-01-01Z', '', '', 4"),
    case(&["payments/list_unreadable.sql"], "timestamptz, text, text, bigint", "'1970-01-01Z', '', '', 4"),
    case(
        &["privacy/export_bookings.sql", "bookings/answer.sql"],
        "text, bigint, uuid, bigint",
        concat!("'sub:ada', 0, ", id!(nil), ", 4"),
    ),
    case(
        &["privacy/export_payments.sql"],
        "bigint[], uuid[], bigint",
        concat!("'{1}', ARRAY[", id!(held), "]::uuid[], 11"),
    ),
    case(
        &["privacy/export_events.sql"],
        "bigint[], uuid[], bigint, bigint",
        concat!("'{1}', ARRAY[", id!(held), "]::uuid[], 11, 700000"),
    ),
    case(&["privacy/erase.sql"], "text, bigint", "'sub:ada', 4"),
    case(&["privacy/erase.sql"], "text, bigint", "'sub:nobody', 1000"),
    case(&["privacy/due_show.sql"], "integer, timestamptz, bigint", "8760, '1970-01-01Z', 0"),
    case(&["privacy/due_show.sql"], "integer, timestamptz, bigint", "87600, '1970-01-01Z', 0"),
    case(&["privacy/anonymise.sql"], "bigint, uuid, bigint", concat!("2, ", id!(nil), ", 4")),
    case(&["privacy/mark_anonymised.sql"], "bigint", "2"),
    case(&["privacy/empty_payloads.sql"], "integer, bigint", "8760, 1000"),
    case(&["privacy/empty_payloads.sql"], "integer, bigint", "87600, 1000"),
    // A show with five live bookings.
    case(&["checks/seats.sql"], "bigint, bigint, bigint", "2, 1, 1000000"),
    case(&["checks/holders.sql"], "bigint, text, bigint", "3, '', 4"),
    case(&["checks/refunds.sql"], "bigint, uuid, bigint", concat!("0, ", id!(nil), ", 4")),
    case(&["checks/payments.sql"], "bigint, bigint", "0, 1"),
    case(&["checks/events.sql"], "bigint, bigint", "0, 1"),
    case(&["checks/oldest_snapshot.sql"], "", ""),
];
