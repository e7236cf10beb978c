"""Packages: metadata, archives, messages and signatures, frozen before anything is sent."""
