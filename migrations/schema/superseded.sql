-- Functions that an earlier release calls. Its instances run until the new release is deployed. A later migration drops them.

\ir ../functions/superseded/pay_booking.sql
\ir ../functions/superseded/apply_payment_event.sql
\ir ../functions/superseded/record_payment.sql
\ir ../functions/superseded/replay_payment_event.sql
\ir ../functions/superseded/admit_holder.sql
