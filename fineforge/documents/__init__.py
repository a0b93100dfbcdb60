"""What programs read: the JSON shapes of plans, events, answers and diagnostics."""
