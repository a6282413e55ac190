"""Decides and acts: commands, use cases and what people see. May import `checks` and `storage`."""
