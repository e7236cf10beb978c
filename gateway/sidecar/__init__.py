"""Sidecar: an outbox folder goes in, delivered documents and a status file each come out.

The protocol is in docs/folder.md; `folder` touches files, `status` words what people read, `actions` reads
what a person or a program asks for, `daemon` ties them to the engine.
"""
