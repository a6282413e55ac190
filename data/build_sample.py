"""Builds the sample database: a Junmai database of the oldest schema, with rows in all its tables.

    python data/build_sample.py           # rewrites data/junmai.db
    python data/build_sample.py PATH      # writes it somewhere else

The same SQLite version gives the same bytes each time. Only `Random.random` is drawn from, the one
method whose sequence Python promises to keep; the clock is never asked. Every column that may be
NULL is NULL in some row and has a value in another, as in databases from the field.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")
Row = tuple[object, ...]

SEED = 20251108
SAMPLE = Path(__file__).with_name("junmai.db")
JOBS = 360
FIRST_RETRYING_JOB = 21
# Where these stand in a photo's row.
IMPORT_TIME, SELECTED_PRESET, APPROVED = 5, 23, 27

SCHEMA = """
CREATE TABLE sessions (id INTEGER NOT NULL, name VARCHAR(255) NOT NULL,
 created_at DATETIME NOT NULL, import_folder VARCHAR(512), total_photos INTEGER,
 processed_photos INTEGER, status VARCHAR(50) NOT NULL
 CHECK (status IN ('importing','selecting','developing','exporting','completed')),
 PRIMARY KEY (id));
CREATE TABLE presets (id INTEGER NOT NULL, name VARCHAR(255) NOT NULL, version VARCHAR(50) NOT NULL,
 context_tags TEXT, config_template TEXT NOT NULL, blend_amount INTEGER, usage_count INTEGER,
 avg_approval_rate FLOAT, created_at DATETIME NOT NULL, updated_at DATETIME NOT NULL,
 PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE photos (id INTEGER NOT NULL, session_id INTEGER, file_path VARCHAR(1024) NOT NULL,
 file_name VARCHAR(255) NOT NULL, file_size INTEGER, import_time DATETIME NOT NULL,
 camera_make VARCHAR(100), camera_model VARCHAR(100), lens VARCHAR(100), focal_length FLOAT,
 aperture FLOAT, shutter_speed VARCHAR(50), iso INTEGER, capture_time DATETIME, gps_lat FLOAT,
 gps_lon FLOAT, ai_score FLOAT CHECK (ai_score >= 1 AND ai_score <= 5), focus_score FLOAT,
 exposure_score FLOAT, composition_score FLOAT, subject_type VARCHAR(100), detected_faces INTEGER,
 context_tag VARCHAR(100), selected_preset VARCHAR(100), status VARCHAR(50) NOT NULL
 CHECK (status IN ('imported','analyzed','queued','processing','completed','failed','rejected')),
 lr_catalog_id VARCHAR(100), virtual_copy_id VARCHAR(100), approved BOOLEAN, approved_at DATETIME,
 rejection_reason TEXT, PRIMARY KEY (id), FOREIGN KEY(session_id) REFERENCES sessions (id),
 UNIQUE (file_path));
CREATE INDEX idx_photos_session ON photos (session_id);
CREATE INDEX idx_photos_status ON photos (status);
CREATE TABLE statistics (id INTEGER NOT NULL, date DATETIME NOT NULL, session_id INTEGER,
 total_imported INTEGER, total_selected INTEGER, total_processed INTEGER, total_exported INTEGER,
 avg_processing_time FLOAT, success_rate FLOAT, preset_usage TEXT,
 PRIMARY KEY (id), FOREIGN KEY(session_id) REFERENCES sessions (id));
CREATE INDEX idx_statistics_date ON statistics (date);
CREATE TABLE jobs (id VARCHAR(100) NOT NULL, photo_id INTEGER,
 priority INTEGER NOT NULL CHECK (priority IN (1,2,3)), config_json TEXT NOT NULL,
 status VARCHAR(50) NOT NULL CHECK (status IN ('pending','processing','completed','failed')),
 created_at DATETIME NOT NULL, started_at DATETIME, completed_at DATETIME, error_message TEXT,
 retry_count INTEGER, PRIMARY KEY (id), FOREIGN KEY(photo_id) REFERENCES photos (id));
CREATE INDEX idx_jobs_priority ON jobs (priority);
CREATE INDEX idx_jobs_status ON jobs (status);
CREATE TABLE learning_data (id INTEGER NOT NULL, photo_id INTEGER NOT NULL,
 action VARCHAR(50) NOT NULL CHECK (action IN ('approved','rejected','modified')),
 original_preset VARCHAR(255), final_preset VARCHAR(255), parameter_adjustments TEXT,
 timestamp DATETIME NOT NULL, PRIMARY KEY (id), FOREIGN KEY(photo_id) REFERENCES photos (id));
"""


class Shoot(NamedTuple):
    """What one session is about; `place` is None where the camera recorded no position."""

    name: str
    folder: str | None
    day: str
    photos: int
    status: str
    subject: str
    tags: tuple[str | None, ...]
    place: tuple[float, float] | None


class Camera(NamedTuple):
    """A camera with the lens on it."""

    make: str
    model: str
    lens: str
    focal_lengths: tuple[float, ...]
    raw: str


SHOOTS = (
    Shoot("京都 紅葉", "D:/写真/2025/11_京都紅葉", "2025-11-15", 60, "completed", "landscape",
          ("autumn_leaves", "temple", None), (34.9949, 135.7850)),
    Shoot("七五三 佐藤家", "D:/写真/2025/11_七五三", "2025-11-16", 45, "completed", "portrait",
          ("backlit_portrait", "kimono"), (35.6764, 139.6993)),
    Shoot("軽井沢ウェディング", "E:/Wedding/2025-11-22", "2025-11-22", 55, "completed", "portrait",
          ("backlit_portrait", "soft_light", "low_light_indoor"), None),
    Shoot("Shibuya night walk", "D:/Photos/2025/Shibuya", "2025-11-24", 40, "completed", "street",
          ("night", "neon", None), (35.6595, 139.7005)),
    Shoot("富士山 朝焼け", "D:/写真/2025/11_富士山", "2025-11-26", 35, "exporting", "landscape",
          ("sunrise", "snow"), (35.5013, 138.7994)),
    Shoot("商品撮影 和菓子", "E:/Studio/和菓子", "2025-11-27", 30, "developing", "食べ物",
          ("studio", None), None),
    Shoot("子どもの運動会", "D:/写真/2025/11_運動会", "2025-11-28", 20, "selecting", "sports",
          ("action", "harsh_light"), None),
    Shoot("鎌倉 散歩", None, "2025-11-29", 15, "importing", "street",
          (None,), (35.3192, 139.5467)),
)  # fmt: skip

CAMERAS = (
    Camera("Canon", "EOS R5", "RF24-70mm F2.8 L IS USM", (24.0, 35.0, 50.0, 70.0), "CR3"),
    Camera("NIKON CORPORATION", "NIKON Z 8", "NIKKOR Z 85mm f/1.8 S", (85.0,), "NEF"),
    Camera("SONY", "ILCE-7RM5", "FE 35mm F1.4 GM", (35.0,), "ARW"),
    Camera("FUJIFILM", "X-T5", "XF56mmF1.2 R", (56.0,), "RAF"),
)

PRESETS: tuple[tuple[str, str, tuple[str, ...] | None], ...] = (
    ("WhiteLayer_Transparency_v4", "v4", ("backlit_portrait", "soft_light")),
    ("LowLight_NR_v2", "v2", ("low_light_indoor", "night")),
    ("紅葉_Vivid_v1", "v1", ("autumn_leaves",)),
    ("寺社_Calm_v2", "v2", ("temple",)),
    ("着物_Skin_v3", "v3", ("kimono", "soft_light")),
    ("Neon_Clarity_v1", "v1", ("neon", "night")),
    ("朝焼け_Graduated_v2", "v2", ("sunrise",)),
    ("Snow_HighKey_v1", "v1", ("snow",)),
    ("和菓子_Studio_v1", "v1", ("studio",)),
    ("Action_Crisp_v1", "v1", ("action", "harsh_light")),
    ("Monochrome_Film_v5", "v5", None),
    ("Neutral_Base_v1", "v1", None),
)

# How the photos of a session stand, each as often as it is named.
PROGRESS = {
    "completed": ("completed",) * 8 + ("rejected",) * 2 + ("failed",),
    "exporting": ("completed",) * 4 + ("processing", "rejected"),
    "developing": ("queued", "queued", "processing", "completed", "analyzed", "failed"),
    "selecting": ("analyzed", "analyzed", "imported", "rejected"),
    "importing": ("imported",),
}
REASONS = ("ピントが甘い", "目つぶり", "構図が傾いている", "out of focus", "白とびが強い")
FAILURES = (
    "Lightroom が応答しません (timeout 120 s)",
    "プレビューを生成できませんでした",
    "Catalog is locked by another process",
    "ディスクの空き容量が不足しています",
)


class Dice:
    """Choices that are the same on every Python: all are made from `Random.random`."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices, each as likely."""
        return choices[self.whole(0, len(choices) - 1)]

    def whole(self, least: int, most: int) -> int:
        """An integer, both ends included."""
        return least + int(self._random.random() * (most - least + 1))

    def real(self, least: float, most: float, digits: int = 2) -> float:
        """A number, rounded to so many digits."""
        return round(least + self._random.random() * (most - least), digits)

    def chance(self, share: float) -> bool:
        """True in that share of all calls."""
        return self._random.random() < share

    def hexadecimal(self, digits: int) -> str:
        """So many hexadecimal digits."""
        return "".join(f"{self.whole(0, 15):x}" for _ in range(digits))

    def later(self, moment: datetime, least: float, most: float) -> datetime:
        """A moment between so many seconds later."""
        return moment + timedelta(seconds=self.real(least, most, 6))


def stamp(moment: datetime) -> str:
    """A moment in the application's form, microseconds always written."""
    return moment.isoformat(sep=" ", timespec="microseconds")


def text(value: object) -> str:
    """JSON as the application stores it, Japanese unescaped."""
    return json.dumps(value, ensure_ascii=False)


def develop_settings(dice: Dice) -> dict[str, object]:
    """Some settings of Lightroom's develop module."""
    return {
        "Exposure2012": dice.real(-1, 1),
        "Highlights2012": dice.whole(-60, 0),
        "Shadows2012": dice.whole(0, 40),
    }


def sessions(dice: Dice) -> Iterator[Row]:
    """One row for each shoot; one that is still importing does not know its totals."""
    for number, shoot in enumerate(SHOOTS, 1):
        created = dice.later(datetime.fromisoformat(shoot.day), 64_800, 79_200)
        done = shoot.photos if shoot.status == "completed" else dice.whole(0, shoot.photos)
        counts = (None, None) if shoot.status == "importing" else (shoot.photos, done)
        yield (number, shoot.name, stamp(created), shoot.folder, *counts, shoot.status)


def presets(dice: Dice) -> Iterator[Row]:
    """Twelve presets; those for every occasion have no tags and were never rated."""
    for number, (name, version, tags) in enumerate(PRESETS, 1):
        created = dice.later(datetime.fromisoformat("2025-04-01"), 0, 86_400 * 120)
        template = {
            "version": "1.0",
            "pipeline": [{"stage": "base", "settings": develop_settings(dice)}],
            "safety": {"snapshot": True, "dryRun": False},
        }
        rated = tags is not None
        yield (
            number,
            name,
            version,
            text(tags) if rated else None,
            text(template),
            dice.whole(8, 20) * 5 if rated else None,
            dice.whole(0, 400) if rated else None,
            dice.real(0.5, 1.0, 4) if rated else None,
            stamp(created),
            stamp(dice.later(created, 0, 86_400 * 90)),
        )


def photos(dice: Dice) -> Iterator[Row]:
    """Each shoot's photos in the order of the exposures, as far as their session has come."""
    number = 0
    for session, shoot in enumerate(SHOOTS, 1):
        taken = datetime.fromisoformat(shoot.day) + timedelta(hours=dice.whole(5, 10))
        for exposure in range(1, shoot.photos + 1):
            number += 1
            taken = dice.later(taken, 2, 400)
            yield photo(dice, number, session, exposure, taken)


def photo(dice: Dice, number: int, session: int, exposure: int, taken: datetime) -> Row:
    """One photo. Every 40th is a scan of film, without camera data and outside of any session."""
    shoot = SHOOTS[session - 1]
    camera = None if number % 40 == 0 else dice.one_of(CAMERAS)
    status = dice.one_of(PROGRESS[shoot.status])
    seen = status != "imported"
    developed = status in {"queued", "processing", "completed", "failed"}
    decided = status in {"completed", "rejected"}
    approved = status == "completed"
    tag = dice.one_of(shoot.tags)
    name = f"scan_{number:04}.tif" if camera is None else f"IMG_{3000 + number}.{camera.raw}"
    folder = shoot.folder or "C:/Users/junmai/Pictures/取り込み"
    place = None if camera is None else shoot.place
    return (
        number,
        None if camera is None else session,
        f"{folder}/{exposure // 50:02}/{name}",
        name,
        None if camera is None else dice.whole(22_000_000, 61_000_000),
        stamp(dice.later(taken, 30_000, 40_000)),
        *((None,) * 8 if camera is None else camera_data(dice, camera, taken)),
        *((None,) * 2 if place is None else (dice.real(at - 0.01, at + 0.01, 6) for at in place)),
        *((dice.real(1, 5) if seen else None) for _ in range(4)),
        shoot.subject if seen else None,
        (dice.whole(0, 6) if shoot.subject == "portrait" else 0) if seen else None,
        tag if seen else None,
        preset_for(tag) if developed else None,
        status,
        f"LR-{dice.hexadecimal(16)}" if developed else None,
        f"VC-{dice.hexadecimal(8)}" if developed and dice.chance(0.3) else None,
        int(approved) if decided else None,
        stamp(dice.later(taken, 90_000, 200_000)) if approved else None,
        dice.one_of(REASONS) if status == "rejected" else None,
    )


def camera_data(dice: Dice, camera: Camera, taken: datetime) -> Row:
    """What the camera writes into each file."""
    return (
        camera.make,
        camera.model,
        camera.lens,
        dice.one_of(camera.focal_lengths),
        dice.one_of((1.4, 1.8, 2.8, 4.0, 5.6, 8.0)),
        dice.one_of(("1/30", "1/125", "1/250", "1/500", "1/2000")),
        dice.one_of((100, 200, 400, 800, 1600, 6400)),
        stamp(taken),
    )


def preset_for(tag: str | None) -> str:
    """The first preset made for a tag, else the neutral one."""
    fitting = (name for name, _, tags in PRESETS if tag is not None and tag in (tags or ()))
    return next(fitting, "Neutral_Base_v1")


def statistics(dice: Dice) -> Iterator[Row]:
    """Three days for each session, and the whole studio's weeks, which belong to no session."""
    days: list[tuple[datetime, int | None]] = [
        (datetime.fromisoformat(shoot.day) + timedelta(days=day), session)
        for session, shoot in enumerate(SHOOTS, 1)
        for day in range(3)
    ]
    weeks = [(datetime.fromisoformat(f"2025-11-{day:02}"), None) for day in (9, 16, 23, 30)]
    for number, (day, session) in enumerate([*days, *weeks], 1):
        imported = dice.whole(10, 60)
        selected = dice.whole(5, imported)
        processed = dice.whole(0, selected)
        idle = processed == 0 or number % 9 == 0
        usage = {dice.one_of(PRESETS)[0]: dice.whole(1, 20) for _ in range(3)}
        figures: Row = (
            imported,
            selected,
            processed,
            dice.whole(0, processed),
            dice.real(1.5, 9.0, 3),
            dice.real(0.8, 1.0, 4),
            text(usage),
        )
        when = stamp(dice.later(day, 72_000, 86_000))
        yield (number, when, session, *((None,) * len(figures) if idle else figures))


def jobs(dice: Dice, photo_rows: Sequence[Row]) -> Iterator[Row]:
    """Every 30th job is a batch without a photo; the oldest know no retries."""
    for number in range(1, JOBS + 1):
        row = dice.one_of(photo_rows)
        status = dice.one_of(("completed",) * 6 + ("pending", "processing", "failed"))
        created = dice.later(datetime.fromisoformat(str(row[IMPORT_TIME])), 600, 90_000)
        started = None if status == "pending" else dice.later(created, 1, 900)
        ended = started is not None and status != "processing"
        config = {
            "version": "1.0",
            "preset": row[SELECTED_PRESET] or dice.one_of(PRESETS)[0],
            "pipeline": [{"stage": "base", "settings": develop_settings(dice)}],
        }
        yield (
            f"job-{dice.hexadecimal(24)}",
            None if number % 30 == 0 else row[0],
            dice.whole(1, 3),
            text(config),
            status,
            stamp(created),
            None if started is None else stamp(started),
            stamp(dice.later(started, 2, 120)) if started is not None and ended else None,
            dice.one_of(FAILURES) if status == "failed" else None,
            None if number < FIRST_RETRYING_JOB else dice.whole(0, 3) if status == "failed" else 0,
        )


def learning_data(dice: Dice, photo_rows: Sequence[Row]) -> Iterator[Row]:
    """What was decided about each photo that was approved or rejected."""
    for number, row in enumerate((r for r in photo_rows if r[APPROVED] is not None), 1):
        chosen = row[SELECTED_PRESET]
        changed = row[APPROVED] == 1 and dice.chance(0.25)
        action = "modified" if changed else "approved" if row[APPROVED] == 1 else "rejected"
        yield (
            number,
            row[0],
            action,
            chosen,
            None if action == "rejected" else dice.one_of(PRESETS)[0] if changed else chosen,
            text(develop_settings(dice)) if changed else None,
            stamp(dice.later(datetime.fromisoformat(str(row[IMPORT_TIME])), 90_000, 200_000)),
        )


def build(path: Path) -> None:
    """Write the sample database; an existing file is replaced when the new one is complete."""
    dice = Dice(SEED)
    tables = {"sessions": [*sessions(dice)], "presets": [*presets(dice)]}
    tables["photos"] = [*photos(dice)]
    tables["statistics"] = [*statistics(dice)]
    tables["jobs"] = [*jobs(dice, tables["photos"])]
    tables["learning_data"] = [*learning_data(dice, tables["photos"])]
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    with closing(sqlite3.connect(staged, isolation_level=None)) as connection:
        connection.executescript(f"PRAGMA page_size = 4096; PRAGMA foreign_keys = 1; {SCHEMA}")
        connection.execute("BEGIN")
        for table, rows in tables.items():
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)
        connection.execute("COMMIT")
    staged.replace(path)


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    build(target)
    print(f"{target}: {target.stat().st_size} bytes")
