"""A database of the oldest schema, of any size and always the same for one size.

P photos come with P/100 sessions, 1.2 P jobs under random text keys, 12 presets, P/50 statistics
and 0.7 P learning rows: 350,000 photos make 1.03 million rows and about 300 MB.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import TypeVar

T = TypeVar("T")
Row = tuple[object, ...]

SCHEMA = Path(__file__).parents[1] / "golden" / "schema_001.sql"
SEED = 20251123
PRESETS = 12
TABLES = ("sessions", "presets", "photos", "statistics", "jobs", "learning_data")

CAMERAS = (("Canon", "EOS R5"), ("NIKON", "Z 8"), ("SONY", "ILCE-7RM5"), ("FUJIFILM", "X-T5"))
LENSES = ("RF24-70mm F2.8 L IS USM", "NIKKOR Z 85mm f/1.8 S", "FE 35mm F1.4 GM", "XF56mmF1.2 R")
SUBJECTS = ("portrait", "landscape", "street", "食べ物", "夜景")
SESSION_STATES = ("importing", "selecting", "developing", "exporting", "completed")
PHOTO_STATES = ("imported", "analyzed", "queued", "processing", "completed", "failed", "rejected")
JOB_STATES = ("pending", "processing", "completed", "failed")
ACTIONS = ("approved", "rejected", "modified")


def make_database(path: Path, photos: int) -> int:
    """Write a database of so many photos into a new file and return its number of rows."""
    made = _Rows(photos)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.executescript(SCHEMA.read_text(encoding="utf-8"))
        database.execute("BEGIN")
        for table in TABLES:
            rows: Iterator[Row] = getattr(made, table)()
            width = len(database.execute(f"SELECT * FROM {table}").description)
            marks = ", ".join("?" * width)
            database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        database.execute("COMMIT")
        return database.total_changes


class _Rows:
    """The rows of each table, drawn from one sequence of random numbers."""

    def __init__(self, photos: int) -> None:
        self._photos = photos
        self._sessions = max(1, photos // 100)
        self._presets = [f"WhiteLayer_v{number}" for number in range(1, PRESETS + 1)]
        self._random = Random(SEED)  # noqa: S311  # the same rows each time, no secret

    def sessions(self) -> Iterator[Row]:
        for number in range(1, self._sessions + 1):
            folder = f"D:/photos/2025/{number:05}"
            done = self._whole(0, 100)
            state = self._one_of(SESSION_STATES)
            yield (number, f"撮影 session {number}", self._moment(), folder, 100, done, state)

    def presets(self) -> Iterator[Row]:
        for number, name in enumerate(self._presets, 1):
            tags = json.dumps([SUBJECTS[number % 5], "outdoor"], ensure_ascii=False)
            stage = {"stage": "base", "settings": {"Exposure2012": number / 10}}
            template = json.dumps({"version": "1.0", "pipeline": [stage]})
            moments = (self._moment(), self._moment())
            yield (number, name, "v4", tags, template, 60, number * 7, 0.5 + number / 40, *moments)

    def photos(self) -> Iterator[Row]:
        for number in range(1, self._photos + 1):
            name = f"IMG_{number:07}.CR3"
            yield (
                number,
                self._whole(1, self._sessions),
                f"D:/photos/2025/{number // 100:05}/{name}",
                name,
                self._whole(20_000_000, 60_000_000),
                self._moment(),
                *self._one_of(CAMERAS),
                self._one_of(LENSES),
                self._one_of((24.0, 35.0, 50.0, 85.0)),
                self._one_of((1.4, 2.8, 4.0, 8.0)),
                self._one_of(("1/125", "1/500", "1/2000")),
                self._one_of((100, 400, 1600, 6400)),
                self._moment(),
                self._real(24, 45),
                self._real(123, 145),
                *(self._real(1, 5) for _score in range(4)),
                self._one_of(SUBJECTS),
                self._whole(0, 6),
                self._one_of(("backlit_portrait", "sunset", None)),
                self._one_of(self._presets),
                self._one_of(PHOTO_STATES),
                f"LR-{self._hexadecimal(64)}",
                None,
                self._one_of((0, 1, None)),
                self._moment() if number % 3 else None,
                None if number % 20 else "ピントが甘い / out of focus",
            )

    def statistics(self) -> Iterator[Row]:
        for number in range(1, max(1, self._photos // 50) + 1):
            usage = json.dumps({self._one_of(self._presets): self._whole(1, 50)})
            figures = (100, 60, 55, 50, self._real(1, 9), self._real(0, 1), usage)
            yield (number, self._moment(), self._whole(1, self._sessions), *figures)

    def jobs(self) -> Iterator[Row]:
        for _job in range(self._photos * 6 // 5):
            config = {
                "preset": self._one_of(self._presets),
                "exposure": round(self._real(-1, 1), 3),
                "tone": [self._whole(0, 255) for _ in range(8)],
            }
            yield (
                f"job-{self._hexadecimal(96)}",
                self._whole(1, self._photos),
                self._whole(1, 3),
                json.dumps(config),
                self._one_of(JOB_STATES),
                *(self._moment() for _time in range(3)),
                None,
                self._whole(0, 3),
            )

    def learning_data(self) -> Iterator[Row]:
        for number in range(1, self._photos * 7 // 10 + 1):
            change = json.dumps({"Exposure2012": round(self._real(-1, 1), 3)})
            presets = (self._one_of(self._presets), self._one_of(self._presets))
            photo, action = self._whole(1, self._photos), self._one_of(ACTIONS)
            yield (number, photo, action, *presets, change, self._moment())

    def _one_of(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.random() * len(choices))]

    def _whole(self, least: int, most: int) -> int:
        return least + int(self._random.random() * (most - least + 1))

    def _real(self, least: float, most: float) -> float:
        return least + self._random.random() * (most - least)

    def _hexadecimal(self, bits: int) -> str:
        return f"{self._random.getrandbits(bits):0{bits // 4}x}"

    def _moment(self) -> str:
        day = f"2025-{self._whole(1, 12):02}-{self._whole(1, 28):02}"
        clock = f"{self._whole(0, 23):02}:{self._whole(0, 59):02}:{self._whole(0, 59):02}"
        return f"{day} {clock}.{self._whole(0, 999_999):06}"


if __name__ == "__main__":
    make_database(Path(sys.argv[1]), int(sys.argv[2]))
