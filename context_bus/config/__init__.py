"""What the user wrote, as frozen values: context files, service lists, their faults. Must not know the bus or processes."""
