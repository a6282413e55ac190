"""The replaced tool's module name: its class and its command line, served by junmai-svc."""

from junmai_svc.service.data_migration_tool import DataMigrationTool, main

__all__ = ["DataMigrationTool", "main"]

if __name__ == "__main__":
    raise SystemExit(main())
