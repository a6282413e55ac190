"""Target schemas as peewee models: they say what a migrated database looks like."""
