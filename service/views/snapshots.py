"""Lists of snapshots and their differences as plain data. Pure."""

from collections.abc import Sequence

from junmai_svc.checks.row_changes import RowExample, TableChanges
from junmai_svc.checks.schema_changes import SchemaChange
from junmai_svc.service.diff import Diff
from junmai_svc.service.snapshot_list import InStore, Listed, Listing
from junmai_svc.service.views import View, problems_view
from junmai_svc.storage.snapshots.base import Snapshot


def snapshots_view(listing: Listing) -> View:
    """The snapshots of some stores, newest first, and the manifests that can't be used.

    `store`, `layout` and `new_bytes` of a snapshot are those of its first store.
    """
    return {
        "run": None,
        "status": "listed",
        "snapshots": [_listed(each) for each in listing.snapshots],
        "stores": [_store(each) for each in listing.stores],
        "unreadable": [
            {"store": store.store, "manifest": each.manifest, "problem": each.problem.message}
            for store in listing.stores
            for each in store.unreadable
        ],
        "failed_stores": problems_view(listing.failed),
    }


def _listed(listed: Listed) -> View:
    manifest = listed.snapshot.manifest
    return {
        "snapshot": listed.snapshot.name,
        "taken": manifest.taken.isoformat(),
        "reason": manifest.reason.value,
        "database": manifest.original_path,
        "path": manifest.path,
        "file_size": manifest.file_size,
        "checksum": manifest.checksum,
        "layout": listed.copies[0].layout,
        "new_bytes": manifest.new_bytes,
        "store": listed.copies[0].store,
        "held": any(copy.held for copy in listed.copies),
        "proven": listed.proven.isoformat() if listed.proven else None,
        "stores": [
            {
                "store": copy.store,
                "layout": copy.layout,
                "new_bytes": copy.snapshot.manifest.new_bytes,
                "held": copy.held,
                "damaged": copy.damaged,
                "proven": copy.proven.isoformat() if copy.proven else None,
            }
            for copy in listed.copies
        ],
    }


def _store(store: InStore) -> View:
    return {"store": store.store, "layout": store.layout, "snapshots": len(store.snapshots)}


def diff_view(found: Diff) -> View:
    """What changed from one snapshot to another."""
    return {
        "run": None,
        "status": "equal" if found.is_equal else "different",
        "before": _side(found.before),
        "after": _side(found.after),
        "same_image": found.same_image,
        "schema": [_schema_change(each) for each in found.schema],
        "tables": [_table(each) for each in found.tables],
        "totals": _totals(found.tables),
    }


def _side(snapshot: Snapshot) -> View:
    return {
        "snapshot": snapshot.name,
        "store": snapshot.store or (str(snapshot.image.parent) if snapshot.image else ""),
        "taken": snapshot.manifest.taken.isoformat(),
        "database": snapshot.manifest.original_path,
        "checksum": snapshot.manifest.checksum,
    }


def _schema_change(change: SchemaChange) -> View:
    return {
        "change": change.change.value,
        "kind": change.kind,
        "name": change.name,
        "table": change.table,
        "before": change.before,
        "after": change.after,
    }


def _table(table: TableChanges) -> View:
    return {
        "table": table.table,
        "status": "equal" if table.is_equal else "different",
        "compared": table.compared.value,
        "rows_before": table.rows_before,
        "rows_after": table.rows_after,
        "added": table.added,
        "removed": table.removed,
        "changed": table.changed,
        "columns": dict(table.columns),
        "examples": [_example(each) for each in table.examples],
    }


def _example(example: RowExample) -> View:
    return {
        "change": example.change.value,
        "key": example.key,
        "cells": [
            {"column": cell.column, "before": cell.before, "after": cell.after}
            for cell in example.cells
        ],
    }


def _totals(tables: Sequence[TableChanges]) -> View:
    return {
        "tables": len(tables),
        "different": sum(not table.is_equal for table in tables),
        "added": sum(table.added for table in tables),
        "removed": sum(table.removed for table in tables),
        "changed": sum(table.changed for table in tables),
    }
