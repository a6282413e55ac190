"""Target schemas as peewee models."""
