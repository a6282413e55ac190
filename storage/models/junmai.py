"""The current schema of the Junmai application's database, as eleven peewee models.

Declared types, constraints and names are the application's own, to the letter: it opens the
migrated file without knowing that it was migrated. `default` states what a column that an older
database lacks is filled with; no default means NULL.
"""

from functools import cache

import peewee

from junmai_svc.storage.databases.schema import Schema
from junmai_svc.storage.models.ddl import Definitions, define, schema_of
from junmai_svc.storage.models.fields import UNIQUE, BooleanField, FloatField, Reference, one_of


class Base(peewee.Model):
    """What the models share: each is the table of its own name in snake case."""

    class Meta:
        """peewee's options."""

        legacy_table_names = False


class Sessions(Base):
    """One import of photos, from the card to the export."""

    id = peewee.AutoField()
    name = peewee.CharField(255)
    created_at = peewee.DateTimeField()
    import_folder = peewee.CharField(512, null=True)
    total_photos = peewee.IntegerField(null=True)
    processed_photos = peewee.IntegerField(null=True)
    status = peewee.CharField(
        50,
        constraints=one_of(
            "status", "importing", "selecting", "developing", "exporting", "completed"
        ),
    )


class Presets(Base):
    """A named set of develop settings."""

    id = peewee.AutoField()
    name = peewee.CharField(255, constraints=[UNIQUE])
    version = peewee.CharField(50)
    context_tags = peewee.TextField(null=True)
    config_template = peewee.TextField()
    blend_amount = peewee.IntegerField(null=True)
    usage_count = peewee.IntegerField(null=True)
    avg_approval_rate = FloatField(null=True)
    created_at = peewee.DateTimeField()
    updated_at = peewee.DateTimeField()


class DesktopNotifications(Base):
    """A notice shown on the desktop."""

    id = peewee.AutoField()
    title = peewee.CharField(255)
    message = peewee.TextField()
    notification_type = peewee.CharField(
        50,
        constraints=one_of(
            "notification_type",
            "processing_complete",
            "approval_required",
            "error",
            "export_complete",
            "batch_complete",
            "system_status",
        ),
    )
    priority = peewee.IntegerField(constraints=one_of("priority", 1, 2, 3))
    sent_at = peewee.DateTimeField()
    read = BooleanField(null=True)
    dismissed = BooleanField(null=True)
    data = peewee.TextField(null=True)


DesktopNotifications.add_index(
    DesktopNotifications.priority, name="idx_desktop_notifications_priority"
)
DesktopNotifications.add_index(
    DesktopNotifications.sent_at, name="idx_desktop_notifications_sent_at"
)
DesktopNotifications.add_index(
    DesktopNotifications.notification_type, name="idx_desktop_notifications_type"
)


class PushSubscriptions(Base):
    """A browser that receives notices."""

    id = peewee.AutoField()
    endpoint = peewee.CharField(512, constraints=[UNIQUE])
    p256dh_key = peewee.CharField(255)
    auth_key = peewee.CharField(255)
    user_agent = peewee.CharField(512, null=True)
    created_at = peewee.DateTimeField()
    last_used = peewee.DateTimeField(null=True)
    active = BooleanField(null=True)


PushSubscriptions.add_index(PushSubscriptions.endpoint, name="idx_push_subscriptions_endpoint")
PushSubscriptions.add_index(PushSubscriptions.active, name="idx_push_subscriptions_active")


class Statistics(Base):
    """One day's figures."""

    id = peewee.AutoField()
    date = peewee.DateTimeField()
    session = Reference(Sessions, null=True)
    total_imported = peewee.IntegerField(null=True)
    total_selected = peewee.IntegerField(null=True)
    total_processed = peewee.IntegerField(null=True)
    total_exported = peewee.IntegerField(null=True)
    avg_processing_time = FloatField(null=True)
    success_rate = FloatField(null=True)
    preset_usage = peewee.TextField(null=True)


Statistics.add_index(Statistics.date, name="idx_statistics_date")


class PhotoGroups(Base):
    """Photos that look alike. `best_photo_id` is no foreign key in the application's schema."""

    id = peewee.AutoField()
    session = Reference(Sessions, null=True)
    created_at = peewee.DateTimeField()
    similarity_threshold = peewee.IntegerField()
    avg_similarity = FloatField(null=True)
    photo_count = peewee.IntegerField(null=True)
    best_photo_id = peewee.IntegerField(null=True)


PhotoGroups.add_index(PhotoGroups.session, name="idx_photo_groups_session")


class ABTests(Base):
    """A comparison of two presets."""

    id = peewee.AutoField()
    name = peewee.CharField(255)
    description = peewee.TextField(null=True)
    preset_a = Reference(Presets)
    preset_b = Reference(Presets)
    context_tag = peewee.CharField(100, null=True)
    target_sample_size = peewee.IntegerField(null=True)
    duration_days = peewee.IntegerField(null=True)
    status = peewee.CharField(50, constraints=one_of("status", "active", "paused", "completed"))
    start_date = peewee.DateTimeField(null=True)
    end_date = peewee.DateTimeField(null=True)
    created_at = peewee.DateTimeField()


ABTests.add_index(ABTests.status, name="idx_ab_tests_status")


class Photos(Base):
    """One imported photo. The oldest schema lacks `phash`, `photo_group` and `is_best_in_group`."""

    id = peewee.AutoField()
    session = Reference(Sessions, null=True)
    file_path = peewee.CharField(1024, constraints=[UNIQUE])
    file_name = peewee.CharField(255)
    file_size = peewee.IntegerField(null=True)
    import_time = peewee.DateTimeField()
    camera_make = peewee.CharField(100, null=True)
    camera_model = peewee.CharField(100, null=True)
    lens = peewee.CharField(100, null=True)
    focal_length = FloatField(null=True)
    aperture = FloatField(null=True)
    shutter_speed = peewee.CharField(50, null=True)
    iso = peewee.IntegerField(null=True)
    capture_time = peewee.DateTimeField(null=True)
    gps_lat = FloatField(null=True)
    gps_lon = FloatField(null=True)
    ai_score = FloatField(null=True, constraints=[peewee.Check("ai_score >= 1 AND ai_score <= 5")])
    focus_score = FloatField(null=True)
    exposure_score = FloatField(null=True)
    composition_score = FloatField(null=True)
    subject_type = peewee.CharField(100, null=True)
    detected_faces = peewee.IntegerField(null=True)
    context_tag = peewee.CharField(100, null=True)
    selected_preset = peewee.CharField(100, null=True)
    phash = peewee.CharField(64, null=True)
    photo_group = Reference(PhotoGroups, null=True)
    is_best_in_group = BooleanField(null=True, default=False)
    status = peewee.CharField(
        50,
        constraints=one_of(
            "status",
            "imported",
            "analyzed",
            "queued",
            "processing",
            "completed",
            "failed",
            "rejected",
        ),
    )
    lr_catalog_id = peewee.CharField(100, null=True)
    virtual_copy_id = peewee.CharField(100, null=True)
    approved = BooleanField(null=True)
    approved_at = peewee.DateTimeField(null=True)
    rejection_reason = peewee.TextField(null=True)


Photos.add_index(Photos.status, name="idx_photos_status")
Photos.add_index(Photos.phash, name="idx_photos_phash")
Photos.add_index(Photos.session, name="idx_photos_session")
Photos.add_index(Photos.photo_group, name="idx_photos_group")


class Jobs(Base):
    """One piece of work for Lightroom; its key is a text."""

    id = peewee.CharField(100, primary_key=True)
    photo = Reference(Photos, null=True)
    priority = peewee.IntegerField(constraints=one_of("priority", 1, 2, 3))
    config_json = peewee.TextField()
    status = peewee.CharField(
        50, constraints=one_of("status", "pending", "processing", "completed", "failed")
    )
    created_at = peewee.DateTimeField()
    started_at = peewee.DateTimeField(null=True)
    completed_at = peewee.DateTimeField(null=True)
    error_message = peewee.TextField(null=True)
    retry_count = peewee.IntegerField(null=True)


Jobs.add_index(Jobs.priority, name="idx_jobs_priority")
Jobs.add_index(Jobs.status, name="idx_jobs_status")


class LearningData(Base):
    """What the photographer decided about a proposal."""

    id = peewee.AutoField()
    photo = Reference(Photos)
    action = peewee.CharField(50, constraints=one_of("action", "approved", "rejected", "modified"))
    original_preset = peewee.CharField(255, null=True)
    final_preset = peewee.CharField(255, null=True)
    parameter_adjustments = peewee.TextField(null=True)
    timestamp = peewee.DateTimeField()


class ABTestAssignments(Base):
    """A photo that takes part in a comparison of presets."""

    id = peewee.AutoField()
    test = Reference(ABTests)
    photo = Reference(Photos)
    variant = peewee.CharField(1, constraints=one_of("variant", "A", "B"))
    preset = Reference(Presets)
    assigned_at = peewee.DateTimeField()
    approved = BooleanField(null=True)
    processing_time = FloatField(null=True)
    result_recorded_at = peewee.DateTimeField(null=True)


ABTestAssignments.add_index(ABTestAssignments.test, name="idx_ab_test_assignments_test")
ABTestAssignments.add_index(ABTestAssignments.variant, name="idx_ab_test_assignments_variant")
ABTestAssignments.add_index(ABTestAssignments.photo, name="idx_ab_test_assignments_photo")

# In the order in which they can be created, parents first.
MODELS: tuple[type[peewee.Model], ...] = (
    Sessions,
    Presets,
    DesktopNotifications,
    PushSubscriptions,
    Statistics,
    PhotoGroups,
    ABTests,
    Photos,
    Jobs,
    LearningData,
    ABTestAssignments,
)


@cache
def target_schema() -> Schema:
    """Return the schema of an empty database made from these models."""
    return schema_of(MODELS)


@cache
def definitions() -> Definitions:
    """Return how each of these tables is created and what its new columns are filled with."""
    return define(MODELS)
