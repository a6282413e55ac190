"""What makes a system run the daemon: a unit, a property list, a task."""
