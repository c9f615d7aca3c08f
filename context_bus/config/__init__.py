"""What the user wrote, as frozen values: contexts, service lists, their faults; knows no bus or process."""
