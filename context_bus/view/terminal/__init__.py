"""The live view of a provider in a terminal: tables, panes, keys. Must not know how figures are got."""
