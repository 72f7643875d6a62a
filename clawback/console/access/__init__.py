"""Who sends a request and whether they may: hosts, origins, sessions, sign-in, rates, the gate.

`front_door` puts it together; `who` says what pages know of a visitor. You touch it to add a way to
sign in.
"""
