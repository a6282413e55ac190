"""Holds: snapshots, the journal, databases and models. Imports neither `service` nor `checks`."""
