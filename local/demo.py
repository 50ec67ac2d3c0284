"""Tells the main story on a running API and prints each request and answer: demo.py URL TOKEN, with an operator's token.

Exits 1 at the first answer that differs from the story.
"""

import datetime
import json
import sys
import time
import urllib.error
import urllib.request

import webhook

BOLD, DIM, PLAIN = ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() else ("", "", "")
URL = sys.argv[1].rstrip("/")
TOKEN = sys.argv[2]


def call(method: str, path: str, body: dict | None = None, quiet: bool = False, sign=None) -> tuple[int, dict]:
    """Sends one request and returns its status and JSON body. `sign` returns more headers for the body's text."""
    data = None if body is None else json.dumps(body)
    headers = {"Content-Type": "application/json", **(sign(data) if sign else {})}
    if path.startswith("/admin/"):
        headers["Authorization"] = f"Bearer {TOKEN}"
    request = urllib.request.Request(URL + path, data and data.encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            status, answer = response.status, json.load(response)
    except urllib.error.HTTPError as refusal:
        status, answer = refusal.code, json.load(refusal)
    if not quiet:
        print(f"  {method} {path}" + (f"  {json.dumps(body)}" if body else ""))
        print(f"  {DIM}{status} {json.dumps(answer)}{PLAIN}")
    return status, answer


def tell(text: str) -> None:
    print(f"\n{BOLD}{text}{PLAIN}")


def expect(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        print(f"\nUnexpected: {what} is {actual!r}, not {expected!r}", file=sys.stderr)
        raise SystemExit(1)


def expect_seats(show_id: int, available: int) -> None:
    status, show = call("GET", f"/shows/{show_id}")
    expect("the status", status, 200)
    expect("available_seats", show["available_seats"], available)
    expect("reserved_seats", show["reserved_seats"], show["total_seats"] - available)


def seconds_until(time_text: str) -> float:
    due = datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00"))
    return (due - datetime.datetime.now(datetime.timezone.utc)).total_seconds()


def create_show() -> int:
    start = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=30)
    status, show = call("POST", "/admin/shows", {
        "name": "The Demo", "start_time": start.strftime("%Y-%m-%dT20:00:00Z"), "total_seats": 10, "max_seats_per_holder": 20,
        "price_minor": 2500, "currency": "EUR"})
    expect("the status", status, 201)
    return show["show_id"]


def find_in_list(show_id: int) -> None:
    """Finds the show on a page of the list, walking the pages as a client would."""
    path = "/shows?limit=100"
    while True:
        status, page = call("GET", path, quiet=True)
        expect("the status", status, 200)
        for show in page["shows"]:
            if show["show_id"] == show_id:
                print(f"  GET {path}\n  {DIM}200 {{\"shows\": [..., {json.dumps(show)}, ...]}}{PLAIN}")
                return
        if page["next_cursor"] is None:
            expect("the list of shows", "without the new show", "with the new show")
        path = f"/shows?limit=100&cursor={page['next_cursor']}"


def book(show_id: int, user_name: str, seats: int) -> dict:
    status, booking = call("POST", f"/shows/{show_id}/bookings", {"user_name": user_name, "seats": seats})
    expect("the status", status, 201)
    expect("the booking's status", booking["status"], "PENDING")
    return booking


def pay(booking: dict, payment_id: str) -> str:
    """Sends what Stripe sends when the booking's amount was paid, and returns the outcome."""
    intent = {"id": payment_id, "object": "payment_intent", "amount_received": booking["amount_minor"],
              "currency": booking["currency"].lower(), "metadata": {"booking_id": booking["booking_id"]}}
    event = {"id": f"evt_{payment_id}", "object": "event", "type": "payment_intent.succeeded",
             "created": int(time.time()), "livemode": False, "data": {"object": intent}}
    status, answer = call("POST", "/webhooks/payments/stripe", event, sign=webhook.stripe)
    expect("the status", status, 200)
    return answer["outcome"]


def wait_for_expiry(booking: dict) -> dict:
    """Returns the booking once it is no longer pending. Waits up to 75 s longer than the hold, for the sweep."""
    hold_seconds = seconds_until(booking["expires_at"])
    print(f"  waiting for {booking['expires_at']}, {hold_seconds:.0f} s from now", flush=True)
    deadline = time.monotonic() + hold_seconds + 75
    time.sleep(max(0.0, hold_seconds))
    while time.monotonic() < deadline:
        status, now = call("GET", f"/bookings/{booking['booking_id']}", quiet=True)
        expect("the status", status, 200)
        if now["status"] != "PENDING":
            call("GET", f"/bookings/{booking['booking_id']}")
            return now
        time.sleep(0.5)
    expect("the booking", "still PENDING", "FAILED")
    return booking


def expect_status(booking: dict, expected: str) -> None:
    status, now = call("GET", f"/bookings/{booking['booking_id']}")
    expect("the status", status, 200)
    expect("the booking's status", now["status"], expected)


def find_refund_due(payment_id: str) -> None:
    """Finds the payment on a page of the payments that are due to be refunded."""
    path = "/admin/payments?state=refund_due&limit=100"
    while True:
        status, page = call("GET", path, quiet=True)
        expect("the status", status, 200)
        for payment in page["payments"]:
            if payment["payment_id"] == payment_id:
                print(f"  GET {path}\n  {DIM}200 {{\"payments\": [..., {json.dumps(payment)}, ...]}}{PLAIN}")
                return
        if page["next_cursor"] is None:
            expect("the list", "without the payment", "with the payment")
        path = f"/admin/payments?state=refund_due&limit=100&cursor={page['next_cursor']}"


def main() -> None:
    tell("1. An operator puts a show with 10 seats on sale, for 25.00 EUR each")
    show_id = create_show()
    tell("2. The list has it")
    find_in_list(show_id)
    tell("3. Ada books 2 seats, Grace 3. The seats are held and not yet sold")
    ada, grace = book(show_id, "Ada", 2), book(show_id, "Grace", 3)
    expect_seats(show_id, 5)
    tell("4. Ada goes to the payment provider, and her hold is extended")
    status, extended = call("POST", f"/bookings/{ada['booking_id']}/extend")
    expect("the status", status, 200)
    expect("Ada's booking", extended["status"], "PENDING")
    tell("5. She pays. The provider's signed webhook confirms her booking. Sent again, it changes nothing")
    payment_id = f"pi_demo_{ada['booking_id']}"
    expect("the outcome", pay(ada, payment_id), "confirmed")
    expect("the outcome of its repetition", pay(ada, payment_id), "repeated")
    expect_status(ada, "CONFIRMED")
    tell("6. A webhook without a valid signature is refused")
    status, _ = call("POST", "/webhooks/payments/stripe", {"id": "evt_x"}, sign=lambda _: {"Stripe-Signature": "t=1,v1=00"})
    expect("the status", status, 401)
    tell("7. A booking of more seats than are free is refused, and the answer says how many are free")
    status, problem = call("POST", f"/shows/{show_id}/bookings", {"user_name": "Edsger", "seats": 6})
    expect("the status", status, 409)
    expect("available_seats", problem["available_seats"], 5)
    tell("8. Grace does not pay. Her hold expires, and the delayed message releases her seats")
    failed = wait_for_expiry(grace)
    expect("Grace's booking", (failed["status"], failed["failure_reason"]), ("FAILED", "expired"))
    expect_seats(show_id, 8)
    tell("9. Edsger and Barbara hold all free seats. Then Grace's payment arrives, too late: it is due to be refunded")
    book(show_id, "Edsger", 6), book(show_id, "Barbara", 2)
    late_id = f"pi_demo_{grace['booking_id']}"
    expect("the outcome", pay(grace, late_id), "refund_due")
    tell("10. An operator finds it, refunds it at the provider, and settles it")
    find_refund_due(late_id)
    status, settled = call("POST", f"/admin/payments/stripe/{late_id}/settle")
    expect("the payment", (status, settled["state"]), (200, "refunded"))
    tell("11. Ada's booking stands")
    expect_status(ada, "CONFIRMED")
    print("\nThe story is complete.")


main()
