"""`python -m junmai_svc.service` is the same program as `junmai-svc`."""

from junmai_svc.service.cli import main

if __name__ == "__main__":
    main()
