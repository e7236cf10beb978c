"""The HTTP API, `/v1`: what the library offers, for programs in any language (docs/http-api.md)."""
