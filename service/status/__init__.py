"""How everything stands, judged from what was looked at: page, metrics, health."""
