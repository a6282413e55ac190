"""The append-only event stream in which every operation is recorded."""
