"""Channels: a frozen package in, a typed outcome out."""
