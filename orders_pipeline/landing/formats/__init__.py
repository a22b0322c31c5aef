"""From the bytes of a landed file to batches of rows as text: a module for each format, `detect` to choose."""
