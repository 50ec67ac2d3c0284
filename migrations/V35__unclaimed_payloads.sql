-- What providers sent about payments that name no booking is not kept: not from before either.
UPDATE payment_events SET payload = ''
FROM payments
WHERE payments.provider = payment_events.provider AND payments.payment_id = payment_events.payment_id
    AND payments.state = 'unclaimed' AND payment_events.payload <> '';
