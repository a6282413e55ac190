"""A past run looked at again, or carried out again from what was recorded."""
