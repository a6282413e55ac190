"""What runs by itself: jobs on their schedules, the same use cases as the command line's."""
