-- How much of a payment was returned, how much was ever meant to be returned, and whether a refund failed. The result depends on
-- what was reported, not on the order of the reports. The payment's success is known.
--
-- | what was reported | what counts as returned |
-- |---|---|
-- | a refund that is pending or succeeded | its amount |
-- | a refund that failed | nothing, whatever else is reported of it before or after |
-- | the last total, by the provider's clock | the total, less the refunds that failed at that time or later |
-- | what an operator settled | that amount, less the refunds that failed at that time or later |
-- | a failure that names no refund | nothing that was reported until then |
--
-- The greatest of the three sums counts, up to the amount received. Two totals do not count, because they are not about money that
-- was received (a card authorisation that was released): one above that amount, and one equal to it that is reported as partial.
-- Refunds in another currency do not count; a failure of one of them is a failure that names no refund.
--
-- What was meant to be returned is the greatest sum of refunds at any one time: a refund that replaces one that failed earlier is
-- not an additional one.
--
-- Parameters: the_payment. The caller has its lock.
-- Locks: none.
-- Outcomes: returned and wanted: amounts in minor units. has_failed: whether any refund failed.
-- Called by: count_refunds.
CREATE OR REPLACE FUNCTION payment_refunded(the_payment payments, OUT returned bigint, OUT wanted bigint, OUT has_failed boolean)
LANGUAGE plpgsql AS $$
DECLARE
    received     bigint := the_payment.amount_minor;
    unnamed_at   timestamptz; -- The latest failure that does not say which refund failed.
    after_total  bigint;
    after_settle bigint;
    told         bigint;
    total        bigint := 0;
    settled      bigint := 0;
BEGIN
    SELECT greatest(the_payment.refund_failed_at,
            max(failed_at) FILTER (WHERE currency IS DISTINCT FROM the_payment.currency)),
        coalesce(bool_or(state = 'failed'), false) OR the_payment.refund_failed_at IS NOT NULL
    INTO unnamed_at, has_failed
    FROM payment_refunds
    WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id;

    WITH refunds AS MATERIALIZED (
        SELECT refund_id, amount_minor, first_told_at,
            CASE WHEN state = 'failed' THEN failed_at WHEN told_at <= unnamed_at THEN unnamed_at END AS gone_at
        FROM payment_refunds
        WHERE provider = the_payment.provider AND payment_id = the_payment.payment_id AND currency = the_payment.currency
    )
    SELECT
        coalesce(sum(amount_minor) FILTER (WHERE gone_at IS NULL), 0),
        coalesce(max((
            SELECT sum(other.amount_minor)
            FROM refunds AS other
            WHERE other.first_told_at <= refunds.first_told_at
                AND (other.refund_id = refunds.refund_id OR other.gone_at IS NULL OR other.gone_at > refunds.first_told_at))), 0),
        coalesce(sum(amount_minor) FILTER (WHERE gone_at >= the_payment.total_at), 0),
        coalesce(sum(amount_minor) FILTER (WHERE gone_at >= the_payment.settled_at), 0)
    INTO returned, wanted, after_total, after_settle
    FROM refunds;

    IF the_payment.full_told_at IS NOT NULL THEN
        wanted := received;
    END IF;
    told := CASE
        WHEN the_payment.total_kind = 'full' THEN received
        WHEN the_payment.total_currency <> the_payment.currency THEN 0
        WHEN the_payment.total_minor > received THEN 0
        WHEN the_payment.total_kind = 'part' AND the_payment.total_minor = received THEN 0
        ELSE coalesce(the_payment.total_minor, 0) END;
    wanted := greatest(wanted, told, the_payment.settled_minor);
    IF unnamed_at IS NULL OR the_payment.total_at > unnamed_at THEN
        total := told - after_total;
    END IF;
    -- The greatest total reported. A later total may be lower, because a refund failed.
    IF the_payment.refunded_minor < received OR the_payment.total_kind = 'amount' AND the_payment.refunded_minor = received THEN
        wanted := greatest(wanted, the_payment.refunded_minor);
    END IF;
    IF unnamed_at IS NULL OR the_payment.settled_at > unnamed_at THEN
        settled := coalesce(the_payment.settled_minor, 0) - after_settle;
    END IF;
    returned := least(received, greatest(returned, total, settled));
    wanted := least(received, greatest(wanted, returned));
END
$$;
