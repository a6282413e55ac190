"""Telling people when something goes wrong, and when it is over."""
