"""The gateway over HTTP: the audit pages for people, the API for programs. Loopback unless told otherwise."""
