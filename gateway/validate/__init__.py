"""Checks of a finished CDA: our own preflight, and the official schemas where the user has them."""
