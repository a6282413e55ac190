"""SQLite databases: opening, describing, copying. The only rooms that know sqlite3."""
