"""What a daemon may use and how it is started again, the same on every system."""

NAME = "junmai-svc"
DESCRIPTION = "Backs up SQLite databases and proves the backups (junmai-svc)"
STOP_SECONDS = 60
AGAIN_SECONDS = 60
MOST_FILES = 1_024
NICE = 10
