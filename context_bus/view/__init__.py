"""What people look at: tables, pictures, pages of a provider that runs. Must not know the command line."""
