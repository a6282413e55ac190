"""Looks, never writes: every check returns findings as data. May import `storage`."""
