"""The scripts of the watched tasks as their document has them: ``launch``, ``control``, ``parse``.

They know the standard library and the room `watch`; must not know click, rich or anything else that takes
longer to import than they take to run.
"""
