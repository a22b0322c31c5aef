"""Between a step and what it reads and writes: the IO managers `lake` and `marts`."""
