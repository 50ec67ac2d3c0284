"""Signs webhooks as payment providers do, with the secrets of the local cloud.

webhook.py EVENT.json   prints the sample event, signed now: webhook.py events/webhook-stripe.json | sam local invoke ...
"""

import base64
import hashlib
import hmac
import json
import sys
import time

# The secrets in local/deploy.sh. After whsec_, the second is "boxoffice-local" in base64.
STRIPE_SECRET = "whsec_boxoffice_local"
STANDARD_SECRET = "whsec_Ym94b2ZmaWNlLWxvY2Fs"


def sign(key: bytes, content: str) -> bytes:
    return hmac.new(key, content.encode(), hashlib.sha256).digest()


def stripe(body: str) -> dict[str, str]:
    """Returns the headers of a message from Stripe with this body, sent now."""
    now = int(time.time())
    return {"Stripe-Signature": f"t={now},v1={sign(STRIPE_SECRET.encode(), f'{now}.{body}').hex()}"}


def standard(message_id: str, body: str) -> dict[str, str]:
    """Returns the headers of a message of Standard Webhooks with this id and body, sent now."""
    now = int(time.time())
    key = base64.b64decode(STANDARD_SECRET.removeprefix("whsec_"))
    signature = base64.b64encode(sign(key, f"{message_id}.{now}.{body}")).decode()
    return {"webhook-id": message_id, "webhook-timestamp": str(now), "webhook-signature": f"v1,{signature}"}


def signed(event: dict) -> dict:
    """Returns an API Gateway event with newly signed headers."""
    if event["resource"].endswith("/stripe"):
        headers = stripe(event["body"])
    else:
        headers = standard(event["headers"]["webhook-id"], event["body"])
    for name, value in headers.items():
        event["headers"][name] = value
        event["multiValueHeaders"][name] = [value]
    return event


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        print(json.dumps(signed(json.load(file)), indent=2))
