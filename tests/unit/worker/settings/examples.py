"""Credentials, and a file of two accounts."""

from __future__ import annotations

CREDENTIALS = {
    "FACTUS_CLIENT_ID": "id",
    "FACTUS_CLIENT_SECRET": "s3cr3t",
    "FACTUS_USERNAME": "user@example.com",
    "FACTUS_PASSWORD": "p4ssw0rd",
}
ACCOUNTS = """
[accounts.acme]
client_id = "a"
client_secret = "b"
username = "c"
password = "d"
rate_limit = 40
rate_window = "30s"
own_streams = true

[accounts.beta]
client_id = "a"
client_secret = "b"
username = "c"
password = "hidden"
"""
