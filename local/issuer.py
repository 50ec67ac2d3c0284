"""The local cloud's issuer of access tokens. It has one RSA key; the openssl command created it and signs with it.

issuer.py serve KEY PORT        serves OpenID Connect Discovery and the public key on loopback
issuer.py id KEY                prints the key's id
issuer.py token KEY URL SUB SCOPE
                                prints a token for this subject with this scope, valid for an hour

It is for local use only: anybody who can read the key file can issue tokens for any subject.
"""

import base64
import hashlib
import http.server
import json
import subprocess
import sys
import time

# As local/deploy.sh configures the authorizer.
AUDIENCE = "boxoffice-local"
LIFETIME_SECONDS = 3600


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments: str, data: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def public_key(key_file: str) -> dict:
    """The key as it is published. The exponent is openssl's default; the id changes with the key."""
    modulus = bytes.fromhex(openssl("rsa", "-in", key_file, "-noout", "-modulus").decode().strip().partition("=")[2])
    return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": hashlib.sha256(modulus).hexdigest()[:16],
            "n": encode(modulus), "e": encode((65537).to_bytes(3, "big"))}


def token(key_file: str, url: str, subject: str, scope: str) -> str:
    now = int(time.time())
    header = {"typ": "at+jwt", "alg": "RS256", "kid": public_key(key_file)["kid"]}
    claims = {"iss": url, "aud": AUDIENCE, "sub": subject, "scope": scope, "iat": now, "exp": now + LIFETIME_SECONDS}
    message = ".".join(encode(json.dumps(part).encode()) for part in (header, claims))
    signature = openssl("dgst", "-sha256", "-sign", key_file, data=message.encode())
    return f"{message}.{encode(signature)}"


def serve(key_file: str, port: int) -> None:
    url = f"http://127.0.0.1:{port}"
    documents = {
        "/.well-known/openid-configuration": {"issuer": url, "jwks_uri": f"{url}/keys"},
        "/keys": {"keys": [public_key(key_file)]},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = documents.get(self.path)
            body = json.dumps(document or {}).encode()
            self.send_response(200 if document else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1] == "id":
        print(public_key(sys.argv[2])["kid"])
    else:
        print(token(*sys.argv[2:6]))
