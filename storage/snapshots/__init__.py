"""Consistent copies of a database and their manifests, in a store."""
