"""Who people are to the gateway: enrolment, login, devices. Signing is something else.

    enrolment.py      one-time letters, requests for certificates, approval by the manager
    device_keys.py    certificates for keys that the ledger names; devices asking to be named
    passwords.py      login with IDgrid and password; wrong ones lock
    passkeys.py       login with a passkey (WebAuthn)
    own_sessions.py  open sessions, seen and ended by whose they are; links for staff
    holders.py       whose a way of signing in is: a household's or the staff's
    identity_log.py   who did what, for the audit
    sessions.py       who is looking: one-time links become sessions
    scopes.py         what a role, a session or a script's token may do
    sight.py          who sees what of whom (row E012)
    issuing.py        the way to the member's certificate authority (`gridledger cert serve`)

The tables hold public keys, salted hashes of passwords, and hashes of everything that opens
something: a dump of the database opens nothing and signs nothing.
"""
