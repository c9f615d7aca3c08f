"""What the user wrote, as frozen values: contexts, service lists, their faults; must not know bus or processes."""
